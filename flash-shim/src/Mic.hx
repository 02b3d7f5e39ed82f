import flash.errors.Error;
import flash.events.StatusEvent;
import flash.media.MicrophoneEnhancedMode;
import flash.media.MicrophoneEnhancedOptions;
import flash.media.SoundCodec;
import haxe.Timer;
import Wire.Device;

/** States of the microphone, in the words of the API. */
enum abstract MicState(String) to String {
	var Closed = "closed";
	var Asking = "asking";
	var Live = "live";
	var Refused = "refused";
	var None = "none";
}

/*
 *              open(), allowed before
 *   Closed -------------------------------> Live
 *     |  |                                 ^    |
 *     |  | open()           visitor allows |    | visitor forbids
 *     |  +--------> Asking ----------------+    v
 *     |               |   visitor denies, or says nothing for a minute
 *     |               +-----------------------> Refused
 *     +--> None: there is no microphone         |  (may be allowed later: Live)
 */

/** The visitor's microphone: Speex of 16 kHz, one frame of 20 ms a message, without the echo. */
class Mic {
	/** 0 to 10; 8 is 27.8 kbit/s. */
	static inline var QUALITY = 8;

	static inline var GAIN = 50;
	static inline var NOISE_SUPPRESSION = -30;

	/** How long the visitor may think, in ms, and how often it is looked at. */
	static inline var ASK_FOR = 60000;

	static inline var LOOK_EVERY = 500;

	public var state(default, null):MicState = Closed;
	public var muted(default, null) = false;

	/** The device that streams send, null unless it is live and not muted. */
	public var device(get, never):Null<Device>;

	final changed:Void->Void;
	var microphone:Null<Device> = null;
	var index = -1;
	var watch:Null<Timer> = null;

	/** `changed` is called whenever `state`, `muted` or `device` is another. */
	public function new(changed:Void->Void) {
		this.changed = changed;
	}

	function get_device():Null<Device> {
		return state == Live && !muted ? microphone : null;
	}

	/** Takes the device and asks the visitor where that is needed; `ask` opens Flash's dialog. */
	public function open(ask:Void->Void):Void {
		if (state == Live || state == Asking) return;
		release();
		microphone = take();
		if (microphone == null) {
			enter(None);
			return;
		}
		microphone.addEventListener(StatusEvent.STATUS, statusChanged);
		if (!microphone.muted) {
			enter(Live);
			return;
		}
		enter(Asking);
		lookUntil(Date.now().getTime() + ASK_FOR);
		ask();
	}

	/** After the last call. */
	public function close():Void {
		release();
		if (state != Closed) enter(Closed);
	}

	public function setMuted(muted:Bool):Void {
		if (this.muted == muted) return;
		this.muted = muted;
		changed();
	}

	/** Names of devices by their place in the list, which is what Flash knows them by. */
	public static function names():Array<String> {
		try {
			return Device.isSupported ? [for (name in Device.names) Std.string(name)] : [];
		} catch (error:Error) {
			return [];
		}
	}

	/** Uses another device, at once where one is open. */
	public function select(index:Int, ask:Void->Void):Void {
		if (index == this.index || index < 0 || index >= names().length) return;
		this.index = index;
		if (state == Closed) return;
		release();
		state = Closed;
		open(ask);
	}

	/** How loud it is now, 0 to 1. */
	public function level():Float {
		var level = state == Live && microphone != null ? microphone.activityLevel : 0;
		return level > 0 ? level / 100 : 0;
	}

	/** The device with its settings, or null. */
	function take():Null<Device> {
		if (names().length == 0) return null;
		// With echo cancellation; null also where the player has none for this system.
		var found = enhanced();
		if (found == null) {
			found = Device.getMicrophone(index);
			if (found == null) return null;
			found.setUseEchoSuppression(true);
		}
		found.codec = SoundCodec.SPEEX;
		found.encodeQuality = QUALITY;
		// Speex is always of 16 kHz; this matters for Nellymoser alone, and does no harm.
		found.rate = 16;
		found.framesPerPacket = 1;
		// Silence is sent as well: the far end's jitter buffer and its ear want a steady stream.
		found.setSilenceLevel(0, -1);
		found.enableVAD = false;
		found.noiseSuppressionLevel = NOISE_SUPPRESSION;
		found.gain = GAIN;
		return found;
	}

	function enhanced():Null<Device> {
		try {
			var found = Device.getEnhancedMicrophone(index);
			if (found == null) return null;
			var options = new MicrophoneEnhancedOptions();
			options.mode = MicrophoneEnhancedMode.FULL_DUPLEX;
			options.echoPath = 128;
			options.nonLinearProcessing = true;
			found.enhancedOptions = options;
			return found;
		} catch (error:Error) {
			return null;
		}
	}

	function statusChanged(event:StatusEvent):Void {
		look(event.code == "Microphone.Muted");
	}

	/** `denied`: the visitor has decided against it, which `muted` alone does not say. */
	function look(denied:Bool):Void {
		if (microphone == null) return;
		if (!microphone.muted) {
			stopWatch();
			if (state != Live) enter(Live);
		} else if (denied || state == Live) {
			stopWatch();
			if (state != Refused) enter(Refused);
		}
	}

	/** Players do not always tell when their dialog closes, so the answer is looked for as well. */
	function lookUntil(end:Float):Void {
		watch = new Timer(LOOK_EVERY);
		watch.run = function() look(Date.now().getTime() >= end);
	}

	function enter(next:MicState):Void {
		state = next;
		changed();
	}

	function release():Void {
		stopWatch();
		if (microphone != null) microphone.removeEventListener(StatusEvent.STATUS, statusChanged);
		microphone = null;
	}

	function stopWatch():Void {
		if (watch != null) watch.stop();
		watch = null;
	}

	/** What to tell a person: a sentence and what to do. */
	public function words():{message:String, hint:String} {
		return switch (state) {
			case Asking: {message: "Please allow the microphone", hint: "Choose Allow in the box, then Close."};
			case Live: {message: muted ? "Your microphone is off" : "The microphone is on", hint: ""};
			case Refused: {message: "The microphone was not allowed", hint: "Press the button and choose Allow, then Close."};
			case None: {message: "No microphone was found", hint: "Plug one in, then call again."};
			case Closed: {message: "", hint: ""};
		}
	}
}
