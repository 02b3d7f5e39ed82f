import flash.events.AsyncErrorEvent;
import flash.events.IOErrorEvent;
import flash.events.NetStatusEvent;
import flash.media.SoundTransform;
import Trouble.TroubleInfo;
import Wire.Connection;
import Wire.Device;
import Wire.Stream;

/** One call's media: the microphone and the camera go up on one stream, the far end comes down on another. */
class CallStreams {
	/** The most that the player may keep back, in seconds; it plays faster until it is below. */
	static inline var LATEST = 0.5;

	public final callId:String;
	public final down:Stream;

	final up:Stream;
	final troubled:(callId:String, trouble:TroubleInfo) -> Void;
	var sent:Null<Device> = null;

	/** Publishes and plays `callId`. The microphone may come later, by `send`. */
	public function new(connection:Connection, callId:String, volume:Float, troubled:(callId:String, trouble:TroubleInfo) -> Void) {
		this.callId = callId;
		this.troubled = troubled;
		up = stream(connection);
		// What is late is worthless in a call.
		up.audioReliable = false;
		up.videoReliable = false;
		up.publish(callId);
		down = stream(connection);
		down.bufferTime = 0;
		down.bufferTimeMax = LATEST;
		setVolume(volume);
		down.play(callId);
	}

	/** Sends this microphone from now on; null sends none. */
	public function send(microphone:Null<Device>):Void {
		if (microphone == sent) return;
		sent = microphone;
		up.attachAudio(microphone);
	}

	public function sendVideo(camera:Cam):Void {
		camera.attach(up);
	}

	/** 0 to 1. */
	public function setVolume(volume:Float):Void {
		down.soundTransform = new SoundTransform(volume);
	}

	public function close():Void {
		up.attachAudio(null);
		up.attachCamera(null);
		for (stream in [up, down]) {
			stream.removeEventListener(NetStatusEvent.NET_STATUS, statusChanged);
			stream.close();
		}
	}

	function stream(connection:Connection):Stream {
		var stream = new Stream(connection);
		// The far end's data messages have nowhere else to go.
		stream.client = {onMetaData: ignore, onPlayStatus: ignore};
		stream.addEventListener(NetStatusEvent.NET_STATUS, statusChanged);
		stream.addEventListener(AsyncErrorEvent.ASYNC_ERROR, asyncFailed);
		stream.addEventListener(IOErrorEvent.IO_ERROR, ioFailed);
		return stream;
	}

	static function ignore(?what:Dynamic):Void {}

	function statusChanged(event:NetStatusEvent):Void {
		var info = event.info;
		var trouble = Trouble.ofStatus(Text.of(info, "code"), Text.of(info, "level"), Text.of(info, "description"));
		if (trouble != null) troubled(callId, trouble);
	}

	function asyncFailed(event:AsyncErrorEvent):Void {
		troubled(callId, Trouble.async(event.text));
	}

	function ioFailed(event:IOErrorEvent):Void {
		troubled(callId, Trouble.io(event.text));
	}
}
