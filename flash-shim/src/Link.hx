import flash.errors.Error;
import flash.events.AsyncErrorEvent;
import flash.events.IOErrorEvent;
import flash.events.NetStatusEvent;
import flash.events.SecurityErrorEvent;
import flash.net.ObjectEncoding;
import haxe.Timer;
import Trouble.TroubleInfo;
import Wire.Answer;
import Wire.Connection;

/** What a link tells its owner. */
interface LinkListener {
	function linkChanged(connected:Bool, reconnecting:Bool):Void;
	function serverSaid(command:String, argument:Dynamic):Void;
	function troubled(trouble:TroubleInfo):Void;

	/** A direct stream's own connection has changed; false where nobody knows the stream. */
	function streamChanged(stream:Dynamic, status:String):Bool;
}

/*
 *          open()               Success
 *   Idle ---------> Connecting ---------> Connected
 *    ^                |  ^  |                  |
 *    |   refused for  |  |  | failed, silent   | closed
 *    +---- good ------+  |  v                  |
 *    |                  Waiting <--------------+
 *    +---- close() from everywhere
 */
enum LinkState {
	Idle;
	Connecting;
	Connected;
	Waiting;
}

/** The connection to the appliance: opened, kept, and opened again with growing pauses. */
class Link {
	/** How long an attempt may take; the player itself waits for minutes. */
	static inline var CONNECT_WITHIN = 15;

	/** How long the answer to a command may take, in ms. */
	static inline var ANSWER_WITHIN = 15000;

	/** The first pause and the longest one, in ms; each is twice the one before. */
	static inline var FIRST_PAUSE = 1000;

	static inline var LONGEST_PAUSE = 30000;

	/** What the server may call; its argument is one object. */
	static final SERVER_COMMANDS = ["onRegState", "onCallState", "onIncomingCall"];

	/** The connection itself, for streams; null where there is none. */
	public var connection(default, null):Null<Connection> = null;

	final address:String;
	final listener:LinkListener;
	var state = LinkState.Idle;
	var pause = FIRST_PAUSE;
	var timer:Null<Timer> = null;

	/** `address`: rtmfp://HOST:PORT/APP */
	public function new(address:String, listener:LinkListener) {
		this.address = address;
		this.listener = listener;
	}

	public function isConnected():Bool {
		return state == Connected;
	}

	public function open():Void {
		if (state == Idle) {
			pause = FIRST_PAUSE;
			attempt();
		}
	}

	public function close():Void {
		var told = state != Idle;
		drop();
		state = Idle;
		if (told) listener.linkChanged(false, false);
	}

	/** Sends a command. Exactly one of `done` and `failed` is called, once. */
	public function command(name:String, argument:Dynamic, done:Dynamic->Void, failed:TroubleInfo->Void):Void {
		if (state != Connected) {
			failed(Trouble.unconnected(name));
			return;
		}
		var open = true;
		var late:Null<Timer> = null;
		function settle(then:Void->Void):Void {
			if (!open) return;
			open = false;
			if (late != null) late.stop();
			then();
		}
		late = Timer.delay(function() settle(function() failed(Trouble.silent(name))), ANSWER_WITHIN);
		var responder = new Answer(
			function(result:Dynamic) settle(function() done(result)),
			function(info:Dynamic) settle(function() failed(Trouble.ofAnswer(name, info)))
		);
		try {
			connection.call(name, responder, argument);
		} catch (error:Error) {
			settle(function() failed(Trouble.mistake(name, error.message)));
		}
	}

	function attempt():Void {
		drop();
		state = Connecting;
		var connection = new Connection();
		this.connection = connection;
		connection.objectEncoding = ObjectEncoding.AMF0;
		connection.client = client();
		connection.addEventListener(NetStatusEvent.NET_STATUS, statusChanged);
		connection.addEventListener(AsyncErrorEvent.ASYNC_ERROR, asyncFailed);
		connection.addEventListener(IOErrorEvent.IO_ERROR, ioFailed);
		connection.addEventListener(SecurityErrorEvent.SECURITY_ERROR, securityFailed);
		wait(CONNECT_WITHIN * 1000, function() retry(Trouble.noAnswer(CONNECT_WITHIN)));
		try {
			connection.connect(address);
		} catch (error:Error) {
			giveUp(Trouble.security(error.message));
		}
	}

	/** An object with a method for each command of the server, whatever else it sends along. */
	function client():Dynamic {
		var client:Dynamic = {};
		for (command in SERVER_COMMANDS) {
			Reflect.setField(client, command, Reflect.makeVarArgs(function(all:Array<Dynamic>):Dynamic {
				listener.serverSaid(command, all.length > 0 ? all[0] : null);
				return null;
			}));
		}
		return client;
	}

	function statusChanged(event:NetStatusEvent):Void {
		// Players also tell of streams here, and of connections that were given up.
		if (event.target != connection) return;
		var status = Text.of(event.info, "code");
		var trouble = Trouble.ofStatus(status, Text.of(event.info, "level"), Text.of(event.info, "description"));
		switch (status) {
			case "NetConnection.Connect.Success":
				stopTimer();
				state = Connected;
				pause = FIRST_PAUSE;
				listener.linkChanged(true, false);
			case "NetConnection.Connect.Rejected", "NetConnection.Connect.InvalidApp":
				giveUp(trouble);
			case "NetConnection.Connect.Failed", "NetConnection.Connect.Closed", "NetConnection.Connect.AppShutdown",
				"NetConnection.Connect.IdleTimeout":
				retry(trouble);
			default:
				// Of direct streams the player tells here, with the stream.
				if (listener.streamChanged(Reflect.field(event.info, "stream"), status)) return;
				if (trouble != null) listener.troubled(trouble);
		}
	}

	/** Asking again would be answered the same. */
	function giveUp(trouble:TroubleInfo):Void {
		drop();
		state = Idle;
		listener.troubled(trouble);
		listener.linkChanged(false, false);
	}

	function retry(trouble:TroubleInfo):Void {
		drop();
		state = Waiting;
		// Not all phones of a restarted appliance come back in the same moment.
		wait(Std.int(pause * (1 + Math.random() * 0.3)), attempt);
		var first = pause == FIRST_PAUSE;
		pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
		// Later attempts that fail are no news.
		if (!first) return;
		listener.troubled(trouble);
		listener.linkChanged(false, true);
	}

	function drop():Void {
		stopTimer();
		var old = connection;
		connection = null;
		if (old == null) return;
		old.removeEventListener(NetStatusEvent.NET_STATUS, statusChanged);
		// The others stay: an error event that nobody hears opens a window in debugging players.
		try {
			old.close();
		} catch (error:Error) {}
	}

	function wait(ms:Int, then:Void->Void):Void {
		stopTimer();
		timer = Timer.delay(then, ms);
	}

	function stopTimer():Void {
		if (timer != null) timer.stop();
		timer = null;
	}

	function asyncFailed(event:AsyncErrorEvent):Void {
		if (event.target == connection) listener.troubled(Trouble.async(event.text));
	}

	function ioFailed(event:IOErrorEvent):Void {
		if (event.target == connection) listener.troubled(Trouble.io(event.text));
	}

	function securityFailed(event:SecurityErrorEvent):Void {
		if (event.target == connection) giveUp(Trouble.security(event.text));
	}
}
