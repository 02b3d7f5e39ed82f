import flash.events.EventDispatcher;
import flash.events.StatusEvent;
import flash.media.MicrophoneEnhancedOptions;
import flash.media.SoundCodec;

/** In the place of flash.media.Microphone: two devices, and the page is the visitor who allows them. */
class StandInMicrophone extends EventDispatcher {
	public static final names:Array<String> = ["Built-in", "Headset \"ä\""];
	public static final isSupported = true;

	static final all:Array<StandInMicrophone> = [];

	public final name:String;
	public var muted = true;
	public var activityLevel = 60.0;
	public var codec:SoundCodec = null;
	public var encodeQuality = 0;
	public var rate = 0;
	public var framesPerPacket = 2;
	public var enableVAD = true;
	public var noiseSuppressionLevel = 0;
	public var gain = 0.0;
	public var enhancedOptions:MicrophoneEnhancedOptions = null;

	function new(index:Int) {
		super();
		name = names[index < 0 ? 0 : index];
		var page = StandIn.name("microphone", function(what, allowed) {
			muted = allowed != true;
			var code = muted ? "Microphone.Muted" : "Microphone.Unmuted";
			if (what == "decide") dispatchEvent(new StatusEvent(StatusEvent.STATUS, false, false, code));
		});
		StandIn.note(page, "open", name);
	}

	/** As Flash does, the same object for the same device. */
	public static function getMicrophone(index:Int):StandInMicrophone {
		var place = index < 0 ? 0 : index;
		if (all[place] == null) all[place] = new StandInMicrophone(place);
		return all[place];
	}

	public static function getEnhancedMicrophone(index:Int):StandInMicrophone {
		return getMicrophone(index);
	}

	public function setUseEchoSuppression(use:Bool):Void {}

	public function setSilenceLevel(level:Float, timeout:Int):Void {
		StandIn.note(name, "settings", codec + " " + framesPerPacket + " " + level);
	}
}
