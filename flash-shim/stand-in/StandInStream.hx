import flash.events.EventDispatcher;
import flash.events.NetStatusEvent;
import flash.media.SoundTransform;

/** In the place of flash.net.NetStream: what is done with it is noted, nothing flows. */
class StandInStream extends EventDispatcher {
	public static inline var DIRECT_CONNECTIONS = "directConnections";

	public var client:Dynamic = null;
	public var audioReliable = true;
	public var videoReliable = true;
	public var bufferTime = 0.1;
	public var bufferTimeMax = 0.0;
	public var soundTransform(default, set):SoundTransform = null;
	public var videoStreamSettings:Dynamic = null;

	/** Whose stream this is, where it is played by another client or from one. */
	public var farID = "";

	final name:String;

	/** `peer`: another client, or that others play it; left out, the appliance is the other end. */
	public function new(connection:Null<StandInConnection>, ?peer:String) {
		super();
		if (connection == null) {
			name = "";
			return;
		}
		name = StandIn.name("stream", function(what, argument) {
			if (what == "status") {
				dispatchEvent(new NetStatusEvent(NetStatusEvent.NET_STATUS, false, false, argument));
			} else if (what == "status of the connection") {
				argument.stream = this;
				connection.dispatchEvent(new NetStatusEvent(NetStatusEvent.NET_STATUS, false, false, argument));
			} else if (what == "onPeerConnect") {
				var subscriber = new StandInStream(null);
				subscriber.farID = argument;
				StandIn.note(name, "admits " + argument, Reflect.callMethod(client, Reflect.field(client, what), [subscriber]));
			} else {
				Reflect.callMethod(client, Reflect.field(client, what), [argument]);
			}
		});
		if (peer != null) StandIn.note(name, "peer", peer);
	}

	public function send(handler:String):Void {
		StandIn.note(name, "send", handler);
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
