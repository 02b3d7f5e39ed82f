import flash.Lib;
import flash.errors.Error;
import flash.events.AsyncErrorEvent;
import flash.events.IOErrorEvent;
import flash.events.NetStatusEvent;
import flash.media.SoundTransform;
import haxe.Timer;
import Wire.Connection;
import Wire.Device;
import Wire.Stream;

/*
 *            the partner's beat comes          close()
 *   Trying -------------------------> Heard ------------> Over
 *      |  none in time                  |  it stays out      ^
 *      +--------------------------------+--------------------+
 */
enum DirectState {
	Trying;
	Heard;
	Over;
}

/**
 * One call's sound from player to player (RFC 7425 5.4): the microphone goes up on a stream that
 * only the partner may play, the partner's stream comes down. Both say at intervals that they are
 * alive, since a muted microphone says nothing.
 */
class DirectStreams {
	/** How often a stream says that it is alive, and after how long without that it is not, in ms. */
	static inline var BEAT_EVERY = 500;

	static inline var DEAD_AFTER = 2500;

	/** How long the first word may take, in ms. */
	static inline var HEAR_WITHIN = 10000;

	/** A partner that is told of us later than we of it has not published yet: asked again after this, in ms. */
	static inline var AGAIN_AFTER = 2000;

	/** The most that the player may keep back, in seconds. */
	static inline var LATEST = 0.5;

	public final farId:String;

	final connection:Connection;
	final farCallId:String;
	final heard:Bool->Void;
	final up:Stream;
	var down:Null<Stream> = null;
	var state = DirectState.Trying;
	var sent:Null<Device> = null;
	var volume = 0.0;
	final beganAt:Int;
	var askedAt = 0;
	var asksAgain = false;
	var beatenAt = 0;
	final timer:Timer;

	/** `heard` is told once that the partner is heard, and once that it is not, or not any more. */
	public function new(connection:Connection, callId:String, farId:String, farCallId:String, heard:Bool->Void) {
		this.connection = connection;
		this.farId = farId;
		this.farCallId = farCallId;
		this.heard = heard;
		beganAt = Lib.getTimer();
		up = listen(new Stream(connection, Stream.DIRECT_CONNECTIONS));
		up.audioReliable = false;
		up.client = {onPeerConnect: admits};
		up.publish(callId);
		timer = new Timer(BEAT_EVERY);
		timer.run = beat;
		ask();
	}

	/** Sends this microphone from now on; null sends none. */
	public function send(microphone:Null<Device>):Void {
		if (microphone == sent || state == Over) return;
		sent = microphone;
		up.attachAudio(microphone);
	}

	/** 0 to 1; it is 0 in the beginning. */
	public function setVolume(volume:Float):Void {
		this.volume = volume;
		if (down != null) down.soundTransform = new SoundTransform(volume);
	}

	/** The player tells of a stream's own connection; false where the stream is none of these. */
	public function statusOf(stream:Dynamic, status:String):Bool {
		if (stream == null || (stream != down && stream != up)) return false;
		if (stream == down) downChanged(status);
		return true;
	}

	public function close():Void {
		if (state == Over) return;
		state = Over;
		timer.stop();
		up.attachAudio(null);
		drop(up);
		if (down != null) drop(down);
		down = null;
	}

	/** Whether a client may play our stream: the partner, whose ID its key vouches for. */
	function admits(peer:Stream):Bool {
		return state != Over && peer.farID.toLowerCase() == farId;
	}

	function ask():Void {
		askedAt = Lib.getTimer();
		asksAgain = false;
		if (down != null) drop(down);
		var stream = listen(new Stream(connection, farId));
		down = stream;
		stream.bufferTime = 0;
		stream.bufferTimeMax = LATEST;
		stream.client = {beat: function(?_:Dynamic) beaten(stream), onMetaData: ignore, onPlayStatus: ignore};
		setVolume(volume);
		stream.play(farCallId);
	}

	function beaten(stream:Stream):Void {
		if (stream != down || state == Over) return;
		beatenAt = Lib.getTimer();
		if (state == Trying) {
			state = Heard;
			heard(true);
		}
	}

	function beat():Void {
		try {
			up.send("beat");
		} catch (error:Error) {}
		var now = Lib.getTimer();
		switch (state) {
			case Trying if (now - beganAt >= HEAR_WITHIN):
				fail();
			case Trying if (asksAgain && now - askedAt >= AGAIN_AFTER):
				ask();
			case Heard if (now - beatenAt >= DEAD_AFTER):
				fail();
			default:
		}
	}

	function downChanged(status:String):Void {
		switch (status) {
			case "NetStream.Connect.Failed", "NetStream.Connect.Rejected", "NetStream.Connect.Closed", "NetStream.Play.Failed",
				"NetStream.Play.StreamNotFound", "NetStream.Play.UnpublishNotify", "NetStream.Failed":
				if (state == Heard) {
					fail();
				} else {
					asksAgain = true;
				}
			default:
		}
	}

	function fail():Void {
		close();
		heard(false);
	}

	function listen(stream:Stream):Stream {
		stream.addEventListener(NetStatusEvent.NET_STATUS, statusChanged);
		// What fails here is no trouble of the call's: it goes through the appliance then.
		stream.addEventListener(AsyncErrorEvent.ASYNC_ERROR, ignore);
		stream.addEventListener(IOErrorEvent.IO_ERROR, ignore);
		return stream;
	}

	function drop(stream:Stream):Void {
		stream.removeEventListener(NetStatusEvent.NET_STATUS, statusChanged);
		try {
			stream.close();
		} catch (error:Error) {}
	}

	function statusChanged(event:NetStatusEvent):Void {
		if (event.target == down) downChanged(Text.of(event.info, "code"));
	}

	static function ignore(?_:Dynamic):Void {}
}
