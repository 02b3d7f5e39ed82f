import flash.errors.Error;
import flash.external.ExternalInterface;

/**
 * The page's side of the phone: methods that it may call, and what it is told.
 *
 * Flash writes what it tells a page as a piece of JavaScript and does not escape backslashes in
 * it, so a caller's name could run as code. Texts therefore cross percent-encoded, both ways, and
 * names of fields are always ours.
 */
class Bridge {
	/** What is called in the page. A name that the page could choose would be code of its choice. */
	static inline var LISTENER = "RTCKit.flash.heard";

	/** How deep objects of a page are followed. */
	static inline var DEPTH = 4;

	final phone:Int;
	final failed:(what:String, words:String) -> Void;

	/** `phone` tells several phones in one page apart; `failed` hears of mistakes in methods. */
	public function new(phone:Int, failed:(what:String, words:String) -> Void) {
		this.phone = phone;
		this.failed = failed;
	}

	/** Whether the page may be spoken to. It may not without allowScriptAccess. */
	public static function isThere():Bool {
		return ExternalInterface.available;
	}

	/** Lets the page call `then` by `name` with one object. The page gets true where it worked. */
	public function listen(name:String, then:Dynamic->Void):Void {
		ExternalInterface.addCallback(name, function(?argument:Dynamic):Bool {
			try {
				then(decoded(argument, DEPTH));
			} catch (error:Error) {
				failed(name, error.message);
				return false;
			}
			return true;
		});
	}

	/** Tells the page. A page that throws, or that is about to go, is no reason to stop. */
	public function tell(kind:String, detail:Dynamic):Void {
		try {
			ExternalInterface.call(LISTENER, phone, kind, encoded(detail));
		} catch (error:Error) {}
	}

	static function encoded(value:Dynamic):Dynamic {
		if (Std.isOfType(value, String)) return escaped(value);
		if (Std.isOfType(value, Array)) return [for (item in (value : Array<Dynamic>)) encoded(item)];
		if (value == null || Std.isOfType(value, Float) || Std.isOfType(value, Bool)) return value;
		var result:Dynamic = {};
		for (name in Reflect.fields(value)) Reflect.setField(result, name, encoded(Reflect.field(value, name)));
		return result;
	}

	static function escaped(text:String):String {
		try {
			return StringTools.urlEncode(text);
		} catch (error:Error) {
			// Half a surrogate pair has no encoding.
			var plain = "";
			for (at in 0...text.length) {
				var code = text.charCodeAt(at);
				plain += code >= 32 && code < 127 ? text.charAt(at) : "?";
			}
			return StringTools.urlEncode(plain);
		}
	}

	static function decoded(value:Dynamic, depth:Int):Dynamic {
		if (Std.isOfType(value, String)) return StringTools.urlDecode(value);
		if (value == null || Std.isOfType(value, Float) || Std.isOfType(value, Bool)) return value;
		var result:Dynamic = {};
		if (depth == 0) return result;
		for (name in Reflect.fields(value)) {
			Reflect.setField(result, name, decoded(Reflect.field(value, name), depth - 1));
		}
		return result;
	}
}
