/** What the page hears in `onError`. `status` is Flash's own name for it, empty where it has none. */
typedef TroubleInfo = {code:String, message:String, hint:String, status:String};

/** Every error and status of Flash that is bad news, in words that help. */
class Trouble {
	static inline var TRY_AGAIN = "It is tried again by itself.";
	static inline var PORT = "The network must let UDP pass to port 1935 of the appliance, or to the one that it listens on; ";
	static inline var RELOAD = "Reload the page; if it stays, tell the site's owner.";

	/** A trouble that Flash has no name for. */
	public static function make(code:String, message:String, hint:String, status:String = ""):TroubleInfo {
		return {code: code, message: message, hint: hint, status: status};
	}

	/**
	 * What a NetStatusEvent means, or null where it is no trouble. `level` is "status", "warning" or
	 * "error"; `description` is the server's or the player's own sentence, often empty.
	 */
	public static function ofStatus(status:String, level:String, description:String):Null<TroubleInfo> {
		function told(code:String, message:String, hint:String):TroubleInfo {
			return make(code, description == "" ? message : message + ": " + description, hint, status);
		}
		return switch (status) {
			case "NetConnection.Connect.Failed":
				told("flash-unreachable", "The appliance did not answer Flash", PORT + "many company networks do not.");
			case "NetConnection.Connect.Rejected":
				told("forbidden", "The appliance refused this page", "Its configuration must name this page's origin.");
			case "NetConnection.Connect.InvalidApp":
				told("unknown-button", "The appliance has no button of this name", "The name given to embed() must be configured.");
			case "NetConnection.Connect.AppShutdown":
				told("draining", "The appliance is stopping", TRY_AGAIN);
			case "NetConnection.Connect.Closed":
				told("flash-connection-lost", "The connection to the appliance is lost", TRY_AGAIN);
			case "NetConnection.Connect.IdleTimeout":
				told("flash-connection-lost", "The connection was silent for too long", TRY_AGAIN);
			case "NetConnection.Call.Failed", "NetConnection.Call.BadVersion", "NetConnection.Call.Prohibited":
				told("flash-command-failed", "The appliance did not take a command", RELOAD);
			case "NetStream.Publish.BadName":
				told("flash-media-failed", "The appliance does not take this call's sound", "Hang up and call again.");
			case "NetStream.Play.StreamNotFound", "NetStream.Play.Failed", "NetStream.Play.FileStructureInvalid",
				"NetStream.Play.NoSupportedTrackFound":
				told("flash-media-failed", "This call cannot be heard", "Hang up and call again.");
			case "NetStream.Connect.Failed", "NetStream.Connect.Rejected", "NetStream.Failed":
				told("flash-media-failed", "A stream of the call failed", "Hang up and call again.");
			case "NetStream.Play.InsufficientBW":
				told("flash-slow-network", "The network is too slow for this call", "Close what else uses it.");
			default:
				level == "error" ? told("flash-status", "Flash reports " + status, RELOAD) : null;
		}
	}

	/** The far party's answer to a command: an info object with `code` and `description`. */
	public static function ofAnswer(command:String, info:Dynamic):TroubleInfo {
		var code = Text.of(info, "code");
		var description = Text.of(info, "description");
		// A name of Flash's own says less than ours.
		var own = code == "" || code.indexOf("Net") == 0;
		var message = description == "" ? "The appliance refused: " + command : description;
		return make(own ? "flash-command-failed" : code, message, "", own ? code : "");
	}

	/** No answer to a command in time. */
	public static function silent(command:String):TroubleInfo {
		return make("flash-command-failed", "The appliance did not answer: " + command, "Try it again.");
	}

	/** A command without a connection to send it over. */
	public static function unconnected(command:String):TroubleInfo {
		return make("not-connected", "There is no connection for: " + command, "Wait for onConnectStateChanged.");
	}

	/** No answer to the attempt to connect. */
	public static function noAnswer(seconds:Int):TroubleInfo {
		return make("flash-unreachable", "The appliance did not answer Flash within " + seconds + " seconds",
			PORT + TRY_AGAIN);
	}

	public static function security(words:String):TroubleInfo {
		return make("flash-security", "Flash's security rules forbid it: " + words,
			"The page and the appliance must both be http or both be https.");
	}

	/** A command of the server that this file does not have, or that made a mistake come to light. */
	public static function async(words:String):TroubleInfo {
		return make("flash-async", "Flash could not take what the appliance sent: " + words, RELOAD);
	}

	public static function io(words:String):TroubleInfo {
		return make("flash-io", "Flash could not read from the network: " + words, RELOAD);
	}

	public static function mistake(what:String, words:String):TroubleInfo {
		return make("internal", "The Flash phone failed at " + what + ": " + words, RELOAD);
	}

	public static function tooSmall(width:Int, height:Int):TroubleInfo {
		return make("flash-too-small", "The phone is " + width + " x " + height + " pixels, too small for Flash's question",
			"Give the container 217 x 140 pixels; below 215 x 138 Flash refuses the microphone without asking.");
	}

	public static function noCamera():TroubleInfo {
		return make("camera-none", "No camera was found", "The call goes on without a picture.");
	}

	public static function cameraRefused():TroubleInfo {
		return make("camera-refused", "The camera was not allowed", "The call goes on without a picture.", "Camera.Muted");
	}

	public static function noH264(words:String):TroubleInfo {
		return make("camera-no-h264", "This player has no H.264 encoder: " + words, "Sorenson H.263 is sent instead.");
	}
}
