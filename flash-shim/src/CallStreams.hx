import flash.events.AsyncErrorEvent;
import flash.events.IOErrorEvent;
import flash.events.NetStatusEvent;
import flash.media.SoundTransform;
import Trouble.TroubleInfo;
import Wire.Connection;
import Wire.Device;
import Wire.Stream;

/**
 * One call's media: the microphone and the camera go up on one stream, the far end comes down on another.
 * Where the appliance introduces a partner, sound goes directly while that works.
 */
class CallStreams {
	/** The most that the player may keep back, in seconds; it plays faster until it is below. */
	static inline var LATEST = 0.5;

	public final callId:String;
	public final down:Stream;

	final connection:Connection;
	final up:Stream;
	final troubled:(callId:String, trouble:TroubleInfo) -> Void;
	final heardDirectly:(callId:String, on:Bool) -> Void;
	var microphone:Null<Device> = null;
	var sent:Null<Device> = null;
	var volume:Float;

	/** The way past the appliance, and whether sound takes it. */
	var direct:Null<DirectStreams> = null;

	var directly = false;

	/** It failed, and the appliance has not said yet that it knows. */
	var failed = false;

	/**
	 * Publishes and plays `callId`. The microphone may come later, by `send`. `heardDirectly` is what the
	 * appliance is to be told.
	 */
	public function new(connection:Connection, callId:String, volume:Float, troubled:(callId:String, trouble:TroubleInfo) -> Void,
			heardDirectly:(callId:String, on:Bool) -> Void) {
		this.connection = connection;
		this.callId = callId;
		this.volume = volume;
		this.troubled = troubled;
		this.heardDirectly = heardDirectly;
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
		this.microphone = microphone;
		route();
	}

	/**
	 * What the appliance says of the way past it: the partner's peer ID and the name of its stream, both
	 * empty where there is none any more, and whether sound goes there.
	 */
	public function introduce(farId:String, farCallId:String, on:Bool):Void {
		if (farId == "") {
			failed = false;
			forget();
		} else if (!failed) {
			if (direct != null && direct.farId != farId) forget();
			if (direct == null) direct = new DirectStreams(connection, callId, farId, farCallId, heard);
			directly = on;
		}
		route();
	}

	/** The player tells of a stream's own connection; false where the stream is not of this call. */
	public function statusOf(stream:Dynamic, status:String):Bool {
		return direct != null && direct.statusOf(stream, status);
	}

	function heard(on:Bool):Void {
		if (!on) {
			failed = true;
			forget();
			route();
		}
		heardDirectly(callId, on);
	}

	function forget():Void {
		directly = false;
		if (direct != null) direct.close();
		direct = null;
	}

	/** Each sound on its way: until the direct one is known to work, the microphone goes both ways. */
	function route():Void {
		var device = directly ? null : microphone;
		if (device != sent) {
			sent = device;
			up.attachAudio(device);
		}
		down.soundTransform = new SoundTransform(directly ? 0 : volume);
		if (direct != null) {
			direct.send(microphone);
			direct.setVolume(directly ? volume : 0);
		}
	}

	public function sendVideo(camera:Cam):Void {
		camera.attach(up);
	}

	/** 0 to 1. */
	public function setVolume(volume:Float):Void {
		this.volume = volume;
		route();
	}

	public function close():Void {
		forget();
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
