import flash.external.ExternalInterface;

/** The test's side: what the film does is noted in the page, and the page plays the far end. */
class StandIn {
	static final doers = new Map<String, (String, Dynamic) -> Void>();
	static var listens = false;
	static var numbers = 0;

	/** Gives a thing a name for the page, and hears what the page has it do. */
	public static function name(kind:String, doer:(String, Dynamic) -> Void):String {
		if (!listens) {
			listens = true;
			ExternalInterface.addCallback("standIn", function(name:String, what:String, argument:Dynamic):Bool {
				var doer = doers.get(name);
				if (doer != null) doer(what, argument);
				return doer != null;
			});
		}
		var name = kind + (++numbers);
		doers.set(name, doer);
		return name;
	}

	public static function note(name:String, what:String, argument:Dynamic):Void {
		ExternalInterface.call("StandIn.note", name, what, argument);
	}
}
