/** Fields of objects that others made, read without trusting their types. */
class Text {
	/** A field as text, empty where there is none. */
	public static function of(object:Dynamic, name:String):String {
		var value:Dynamic = field(object, name);
		return value == null ? "" : Std.string(value);
	}

	public static function flag(object:Dynamic, name:String):Bool {
		return field(object, name) == true;
	}

	/** A field as a number, 0 where it is none. */
	public static function number(object:Dynamic, name:String):Float {
		var value:Dynamic = field(object, name);
		return Std.isOfType(value, Float) && Math.isFinite(value) ? value : 0;
	}

	static function field(object:Dynamic, name:String):Dynamic {
		return object == null || !Reflect.hasField(object, name) ? null : Reflect.field(object, name);
	}
}
