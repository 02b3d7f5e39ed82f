import flash.Lib;
import flash.display.Stage;
import flash.errors.Error;
import flash.system.Capabilities;
import flash.system.Security;
import haxe.Timer;
import Link.LinkListener;
import Trouble.TroubleInfo;

/** One call, from the appliance's first word about it to its last. */
typedef Call = {state:String, video:Bool, streams:Null<CallStreams>, ?direct:Dynamic};

/**
 * The Flash WebPhone: joins the page, the connection, the calls' streams, the microphone and the
 * panel. The page embeds it with `/api/rtckit.js`, which gives it `port`, `app` and `phone`.
 */
class WebPhone implements LinkListener {
	static inline var VERSION = 1;
	static inline var PORT = 1935;

	/** More calls than a page can mean. */
	static inline var MOST_CALLS = 8;

	/** How often the level is drawn, in ms. */
	static inline var DRAW_EVERY = 100;

	/** What the page is told of a call; everything else that a server sends stays here. */
	static final TEXTS = ["callId", "direction", "state", "uri", "displayName", "reason", "cause"];

	final bridge:Bridge;
	final panel:Panel;
	final link:Link;
	final mic:Mic;
	final cam:Cam;
	final calls = new Map<String, Call>();

	/** Calls that ended, the last few: their first word may come after their last. */
	final over:Array<String> = [];

	/** Calls that the appliance has not answered yet. */
	var placing = 0;

	var reconnecting = false;
	var wanted = false;
	var volume = 1.0;
	var drawing:Null<Timer> = null;

	static function main():Void {
		var stage = Lib.current.stage;
		if (Bridge.isThere()) {
			new WebPhone(stage);
		} else {
			var panel = new Panel(stage);
			Lib.current.addChild(panel);
			panel.say("The phone is cut off", "The page must embed it with allowScriptAccess.", false);
		}
	}

	function new(stage:Stage) {
		// The page is the shop's and this file the appliance's. Who may call is decided by the
		// appliance, which is told the page's address by the player; until then nothing is told.
		Security.allowDomain("*");
		Security.allowInsecureDomain("*");
		var given = Lib.current.loaderInfo.parameters;
		bridge = new Bridge(number(given, "phone", 0), function(what, words) troubled(Trouble.mistake(what, words)));
		panel = new Panel(stage);
		Lib.current.addChild(panel);
		mic = new Mic(micChanged);
		cam = new Cam(troubled);
		link = new Link(address(Lib.current.loaderInfo.url, number(given, "port", PORT), Text.of(given, "app")), this);
		listen();
		show();
		var size = panel.stageSize();
		bridge.tell("ready", {
			version: VERSION,
			player: Capabilities.version,
			width: size.width,
			height: size.height
		});
	}

	static function number(given:Dynamic, name:String, otherwise:Int):Int {
		var value = Std.parseInt(Text.of(given, name));
		return value != null && value > 0 && value < 65536 ? value : otherwise;
	}

	/**
	 * Where to connect. The host is the one that this file came from and not the page's choice: a
	 * visitor who lets this phone use the microphone trusts that host, and no other may listen.
	 */
	static function address(file:String, port:Int, app:String):String {
		var host = file.split("/")[2];
		var named = host == null ? "" : host.substr(host.lastIndexOf("@") + 1);
		// An IPv6 address has colons of its own, in brackets.
		var end = named.charAt(0) == "[" ? named.indexOf("]") + 1 : named.indexOf(":");
		host = end > 0 ? named.substr(0, end) : named;
		return "rtmfp://" + host + ":" + port + "/" + StringTools.urlEncode(app == "" ? "webphone" : app);
	}

	// --- what the page may call -----------------------------------------------------------------

	function listen():Void {
		bridge.listen("phoneConnect", function(_) {
			wanted = true;
			link.open();
			show();
		});
		bridge.listen("phoneDisconnect", function(_) {
			wanted = false;
			endAll();
			link.close();
			show();
		});
		bridge.listen("phoneRegister", function(account) {
			simple("register", {
				registrar: Text.of(account, "registrar"),
				username: Text.of(account, "username"),
				password: Text.of(account, "password")
			}, function(trouble) {
				bridge.tell("registration", {registered: false, code: 0, reason: trouble.message});
			});
		});
		bridge.listen("phoneUnregister", function(_) simple("unregister", null));
		bridge.listen("phoneCall", place);
		bridge.listen("phoneAnswer", answer);
		bridge.listen("phoneReject", function(which) ofCall("reject", which));
		bridge.listen("phoneHangup", function(which) ofCall("hangup", which));
		bridge.listen("phoneHold", function(which) ofCall("hold", which));
		bridge.listen("phoneResume", function(which) ofCall("resume", which));
		bridge.listen("phoneSendDtmf", function(keys) ofCall("dtmf", keys, "digits"));
		bridge.listen("phoneTransfer", function(where) {
			ofCall("transfer", where, Text.of(where, "toCallId") == "" ? "uri" : "toCallId");
		});
		bridge.listen("phoneSetMicMuted", function(how) mic.setMuted(Text.flag(how, "muted")));
		bridge.listen("phoneSetVolume", function(how) {
			volume = Math.max(0, Math.min(1, Text.number(how, "level")));
			for (call in calls) if (call.streams != null) call.streams.setVolume(volume);
		});
		bridge.listen("phoneDevices", function(asked) {
			// Only a page that the appliance let in learns what the visitor has.
			var names = link.isConnected() ? Mic.names() : [];
			bridge.tell("devices", {
				request: Text.of(asked, "request"),
				microphones: [for (index => name in names) {id: Std.string(index), label: name}],
				speakers: []
			});
		});
		bridge.listen("phoneSelectDevice", function(device) {
			var index = Std.parseInt(Text.of(device, "id"));
			if (Text.of(device, "kind") == "microphone" && index != null) mic.select(index, ask);
		});
	}

	/** A command whose result is nothing. */
	function simple(command:String, argument:Dynamic, ?failed:TroubleInfo->Void):Void {
		link.command(command, argument, function(_) {}, function(trouble) {
			troubled(trouble);
			if (failed != null) failed(trouble);
		});
	}

	/** A command about one call, with one more text where `more` names it. */
	function ofCall(command:String, given:Dynamic, ?more:String):Void {
		var callId = Text.of(given, "callId");
		var argument:Dynamic = {callId: callId};
		if (more != null) Reflect.setField(argument, more, Text.of(given, more));
		link.command(command, argument, function(_) {}, function(trouble) callTroubled(callId, trouble));
	}

	/** `request` is the page's name for the call until the appliance has given its own. */
	function place(given:Dynamic):Void {
		var request = Text.of(given, "request");
		var video = Text.flag(given, "video");
		function refused(trouble:TroubleInfo):Void {
			bridge.tell("refused", {
				request: request,
				code: trouble.code,
				message: trouble.message,
				hint: trouble.hint
			});
		}
		if (count() + placing >= MOST_CALLS) {
			refused(Trouble.make("limit", "There are too many calls", "End one first."));
			return;
		}
		var argument:Dynamic = {video: video};
		for (name in ["uri", "headers"]) {
			var value:Dynamic = Reflect.field(given, name);
			if (value != null) Reflect.setField(argument, name, value);
		}
		// The call does not wait for the microphone.
		placing++;
		if (link.isConnected()) mic.open(ask);
		link.command("call", argument, function(result) {
			placing--;
			var callId = Text.of(result, "callId");
			if (callId == "") {
				refused(Trouble.ofAnswer("call", null));
			} else {
				bridge.tell("placed", {request: request, callId: callId});
				begin(callId, video);
			}
			tidy();
		}, function(trouble) {
			placing--;
			refused(trouble);
			tidy();
		});
		show();
	}

	function answer(given:Dynamic):Void {
		var callId = Text.of(given, "callId");
		var video = Text.flag(given, "video");
		placing++;
		if (link.isConnected()) mic.open(ask);
		link.command("answer", {callId: callId}, function(_) {
			placing--;
			begin(callId, video);
			tidy();
		}, function(trouble) {
			placing--;
			callTroubled(callId, trouble);
			tidy();
		});
	}

	// --- what the appliance says (Link's listener) --------------------------------------------------

	public function linkChanged(connected:Bool, reconnecting:Bool):Void {
		this.reconnecting = reconnecting;
		wanted = connected || reconnecting;
		if (!connected) endAll();
		bridge.tell("connection", {connected: connected, reconnecting: reconnecting});
		show();
	}

	public function serverSaid(command:String, argument:Dynamic):Void {
		if (command == "onRegState") {
			bridge.tell("registration", {
				registered: Text.flag(argument, "registered"),
				code: Text.number(argument, "code"),
				reason: Text.of(argument, "reason")
			});
			return;
		}
		// Where the sound goes is no news for the page, and the call's state stays.
		if (argument != null && Reflect.hasField(argument, "direct")) {
			introduced(argument);
			return;
		}
		var info:Dynamic = {video: Text.flag(argument, "video"), code: Text.number(argument, "code")};
		for (name in TEXTS) Reflect.setField(info, name, Text.of(argument, name));
		track(info.callId, info.state);
		bridge.tell(command == "onIncomingCall" ? "incoming" : "state", info);
		tidy();
	}

	public function troubled(trouble:TroubleInfo):Void {
		bridge.tell("error", trouble);
	}

	public function streamChanged(stream:Dynamic, status:String):Bool {
		return Lambda.exists(calls, function(call) return call.streams != null && call.streams.statusOf(stream, status));
	}

	function introduced(argument:Dynamic):Void {
		var call = calls.get(Text.of(argument, "callId"));
		if (call == null) return;
		call.direct = argument;
		if (call.streams == null) return;
		try {
			call.streams.introduce(Text.of(argument, "farId").toLowerCase(), Text.of(argument, "farCallId"), Text.flag(argument, "direct"));
		} catch (error:Error) {
			// A player without direct streams, or one that forbids them: the appliance gives up in time.
		}
	}

	/** The appliance gives up by itself what it is not told of, so an error here is no trouble. */
	function heardDirectly(callId:String, on:Bool):Void {
		link.command("direct", {callId: callId, on: on}, function(_) {}, function(_) {});
	}

	function callTroubled(callId:String, trouble:TroubleInfo):Void {
		bridge.tell("error", {
			code: trouble.code,
			message: trouble.message,
			hint: trouble.hint,
			status: trouble.status,
			callId: callId
		});
	}

	// --- calls --------------------------------------------------------------------------------------

	function count():Int {
		return Lambda.count(calls);
	}

	function track(callId:String, state:String):Void {
		var call = calls.get(callId);
		if (state == "ended") {
			if (call != null) end(callId, call);
			over.push(callId);
			if (over.length > MOST_CALLS) over.shift();
		} else if (call != null) {
			call.state = state;
		} else if (callId != "" && count() < MOST_CALLS) {
			calls.set(callId, {state: state, video: false, streams: null});
		}
	}

	/** Starts a call's streams, where it has not ended meanwhile. */
	function begin(callId:String, video:Bool):Void {
		if (over.indexOf(callId) >= 0 || !link.isConnected()) return;
		if (!calls.exists(callId)) calls.set(callId, {state: "calling", video: video, streams: null});
		var call = calls.get(callId);
		if (call.streams != null) return;
		call.video = video;
		try {
			var streams = new CallStreams(link.connection, callId, volume, callTroubled, heardDirectly);
			call.streams = streams;
			streams.send(mic.device);
			if (call.direct != null) introduced(call.direct);
			if (video) {
				streams.sendVideo(cam);
				panel.showVideo(streams.down);
			}
		} catch (error:Error) {
			callTroubled(callId, Trouble.mistake("the call's streams", error.message));
		}
	}

	function end(callId:String, call:Call):Void {
		calls.remove(callId);
		if (call.streams == null) return;
		call.streams.close();
		if (call.video) panel.showVideo(null);
	}

	function endAll():Void {
		for (callId in [for (callId in calls.keys()) callId]) end(callId, calls.get(callId));
		over.resize(0);
		tidy();
	}

	/** The microphone is open while there is a call, and not a moment longer. */
	function tidy():Void {
		var idle = placing == 0 && Lambda.count(calls, function(call) return call.streams != null) == 0;
		if (idle) {
			mic.close();
			cam.close();
		}
		if (idle == (drawing != null)) {
			if (drawing != null) drawing.stop();
			drawing = idle ? null : new Timer(DRAW_EVERY);
			if (drawing != null) drawing.run = function() panel.showLevel(mic.level());
		}
		if (idle) panel.showLevel(-1);
		show();
	}

	// --- microphone and panel -----------------------------------------------------------------------

	function ask():Void {
		if (panel.isLargeEnough()) {
			panel.showSettings();
		} else {
			var size = panel.stageSize();
			troubled(Trouble.tooSmall(size.width, size.height));
		}
	}

	function micChanged():Void {
		for (call in calls) if (call.streams != null) call.streams.send(mic.device);
		if (mic.state != Closed) {
			var words = mic.words();
			bridge.tell("microphone", {
				state: mic.state,
				message: words.message,
				hint: words.hint,
				popup: false,
				micMuted: mic.muted
			});
		}
		show();
	}

	function show():Void {
		var words = mic.words();
		switch (mic.state) {
			case Asking, Refused:
				panel.say(words.message, words.hint, true);
			case None:
				panel.say(words.message, words.hint, false);
			default:
				panel.say(callWords(), reconnecting ? "Trying again…" : words.message, false);
		}
	}

	/** The call that is furthest, or the connection where there is none. */
	function callWords():String {
		for (pair in [
			{state: "active", words: "In a call"}, {state: "held", words: "On hold"}, {state: "early", words: "Ringing…"},
			{state: "ringing", words: "Ringing…"}, {state: "calling", words: "Calling…"}
		]) {
			for (call in calls) if (call.state == pair.state) return pair.words;
		}
		if (placing > 0) return "Calling…";
		if (link.isConnected()) return "Ready to call";
		if (reconnecting) return "No connection";
		return wanted ? "Connecting…" : "Phone";
	}
}
