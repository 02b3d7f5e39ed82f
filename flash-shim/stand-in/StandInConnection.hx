import flash.events.EventDispatcher;
import flash.events.NetStatusEvent;

/** In the place of flash.net.NetConnection: the page is the server. */
class StandInConnection extends EventDispatcher {
	public var client:Dynamic = null;
	public var objectEncoding:UInt = 3;

	final name:String;

	public function new() {
		super();
		name = StandIn.name("connection", play);
	}

	public function connect(address:String):Void {
		StandIn.note(name, "connect", address);
	}

	public function call(command:String, answer:StandInAnswer, argument:Dynamic):Void {
		StandIn.note(StandIn.name("answer", function(what, value) {
			// Not as a method of the answer: its fields would hide what the functions have captured.
			var then = what == "result" ? answer.done : answer.failed;
			then(value);
		}), command, argument);
	}

	public function close():Void {
		StandIn.note(name, "close", null);
	}

	/** A status of the connection, or a command of the server with an argument too many. */
	function play(what:String, argument:Dynamic):Void {
		if (what == "status") {
			dispatchEvent(new NetStatusEvent(NetStatusEvent.NET_STATUS, false, false, argument));
		} else {
			Reflect.callMethod(client, Reflect.field(client, what), [argument, "more"]);
		}
	}
}
