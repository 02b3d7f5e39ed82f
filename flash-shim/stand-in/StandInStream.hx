import flash.events.EventDispatcher;
import flash.events.NetStatusEvent;
import flash.media.SoundTransform;

/** In the place of flash.net.NetStream: what is done with it is noted, nothing flows. */
class StandInStream extends EventDispatcher {
	public var client:Dynamic = null;
	public var audioReliable = true;
	public var videoReliable = true;
	public var bufferTime = 0.1;
	public var bufferTimeMax = 0.0;
	public var soundTransform(default, set):SoundTransform = null;
	public var videoStreamSettings:Dynamic = null;

	final name:String;

	public function new(connection:StandInConnection) {
		super();
		name = StandIn.name("stream", function(_, info) {
			dispatchEvent(new NetStatusEvent(NetStatusEvent.NET_STATUS, false, false, info));
		});
	}

	public function publish(what:String):Void {
		StandIn.note(name, "publish", what + (audioReliable ? " reliable" : ""));
	}

	public function play(what:String):Void {
		StandIn.note(name, "play", what);
	}

	public function attachAudio(microphone:StandInMicrophone):Void {
		StandIn.note(name, "attachAudio", microphone == null ? null : microphone.name);
	}

	public function attachCamera(camera:Dynamic):Void {
		StandIn.note(name, "attachCamera", camera != null);
	}

	public function close():Void {
		StandIn.note(name, "close", null);
	}

	function set_soundTransform(transform:SoundTransform):SoundTransform {
		StandIn.note(name, "volume", transform.volume);
		return soundTransform = transform;
	}
}
