import flash.errors.Error;
import flash.events.StatusEvent;
import flash.media.Camera;
import flash.media.H264Level;
import flash.media.H264Profile;
import flash.media.H264VideoStreamSettings;
import Trouble.TroubleInfo;
import Wire.Stream;

/** The visitor's camera: H.264 where the player can encode it, else Sorenson H.263. */
class Cam {
	static inline var WIDTH = 320;
	static inline var HEIGHT = 240;
	static inline var FRAMES_PER_SECOND = 15;

	/** Octets a second; 0 would leave the choice to the quality. */
	static inline var OCTETS_PER_SECOND = 40000;

	/** A key frame every two seconds, for viewers that come late or lost one. */
	static inline var KEY_FRAME_EVERY = 30;

	final troubled:TroubleInfo->Void;
	var camera:Null<Camera> = null;

	public function new(troubled:TroubleInfo->Void) {
		this.troubled = troubled;
	}

	/** Sends the camera on a stream that publishes. */
	public function attach(stream:Stream):Void {
		var camera = take();
		if (camera == null) return;
		try {
			chooseH264(stream);
		} catch (error:Error) {
			troubled(Trouble.noH264(error.message));
		}
		stream.attachCamera(camera);
	}

	public function close():Void {
		if (camera != null) camera.removeEventListener(StatusEvent.STATUS, statusChanged);
		camera = null;
	}

	function take():Null<Camera> {
		if (camera != null) return camera;
		camera = Camera.getCamera();
		if (camera == null) {
			troubled(Trouble.noCamera());
			return null;
		}
		camera.addEventListener(StatusEvent.STATUS, statusChanged);
		camera.setMode(WIDTH, HEIGHT, FRAMES_PER_SECOND);
		camera.setQuality(OCTETS_PER_SECOND, 0);
		camera.setKeyFrameInterval(KEY_FRAME_EVERY);
		return camera;
	}

	/** By itself: where the player lacks the class, the method that names it fails as a whole. */
	function chooseH264(stream:Stream):Void {
		var settings = new H264VideoStreamSettings();
		// What every SIP phone with a screen decodes.
		settings.setProfileLevel(H264Profile.BASELINE, H264Level.LEVEL_1_3);
		stream.videoStreamSettings = settings;
	}

	function statusChanged(event:StatusEvent):Void {
		if (event.code == "Camera.Muted") troubled(Trouble.cameraRefused());
	}
}
