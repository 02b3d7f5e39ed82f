import flash.display.Graphics;
import flash.display.Sprite;
import flash.display.Stage;
import flash.display.StageAlign;
import flash.display.StageScaleMode;
import flash.events.MouseEvent;
import flash.media.Video;
import flash.system.Security;
import flash.system.SecurityPanel;
import flash.text.TextField;
import flash.text.TextFormat;
import flash.text.TextFormatAlign;
import Wire.Stream;

/** What the visitor sees: a line about the call, what to do, the way to Flash's own dialog. */
class Panel extends Sprite {
	/** The least that Flash draws its dialog on (Adobe's reference of flash.media.Microphone). */
	public static inline var LEAST_WIDTH = 215;

	public static inline var LEAST_HEIGHT = 138;

	static inline var WIDTH = 217;
	static inline var HEIGHT = 140;
	static inline var EDGE = 10;
	static inline var INK = 0x1F2933;
	static inline var GREY = 0x5A6672;
	static inline var LINE = 0xD5DBE1;
	static inline var GREEN = 0x167D46;

	final theStage:Stage;
	final title:TextField;
	final hint:TextField;
	final button:Sprite;
	final meter = new Sprite();
	final video = new Video(WIDTH, HEIGHT);

	public function new(stage:Stage) {
		super();
		theStage = stage;
		// Flash's dialog counts pixels of the page, so ours are never scaled.
		stage.scaleMode = StageScaleMode.NO_SCALE;
		stage.align = StageAlign.TOP_LEFT;
		graphics.lineStyle(1, LINE);
		graphics.beginFill(0xFFFFFF);
		graphics.drawRect(0.5, 0.5, WIDTH - 1, HEIGHT - 1);
		graphics.endFill();
		title = text(13, INK, true, EDGE);
		hint = text(11, GREY, false, EDGE + 22);
		hint.height = 44;
		button = makeButton("Microphone settings");
		video.visible = false;
		meter.x = EDGE;
		meter.y = HEIGHT - EDGE - 6;
		for (child in [title, hint, button, meter]) addChild(child);
		// Below the words, above the background.
		addChildAt(video, 0);
	}

	/** A line, what to do about it, and whether the visitor should find the dialog. */
	public function say(line:String, words:String, withButton:Bool):Void {
		title.text = line;
		// Fonts are the visitor's own: a line may take two.
		title.height = title.textHeight + 4;
		hint.text = words;
		hint.y = title.y + title.height + 2;
		button.visible = withButton;
		meter.visible = !withButton;
	}

	/** The microphone's level, 0 to 1; negative hides the bar. */
	public function showLevel(level:Float):Void {
		var canvas:Graphics = meter.graphics;
		canvas.clear();
		if (level < 0) return;
		var whole = WIDTH - 2 * EDGE;
		canvas.beginFill(LINE);
		canvas.drawRect(0, 0, whole, 6);
		canvas.beginFill(GREEN);
		canvas.drawRect(0, 0, whole * Math.min(level, 1), 6);
		canvas.endFill();
	}

	/** The far end's picture; null takes it away. */
	public function showVideo(stream:Null<Stream>):Void {
		video.visible = stream != null;
		title.visible = hint.visible = stream == null;
		if (stream == null) video.clear();
		#if !stand_in
		video.attachNetStream(stream);
		#end
	}

	/** Whether Flash can draw its dialog here. */
	public function isLargeEnough():Bool {
		return theStage.stageWidth >= LEAST_WIDTH && theStage.stageHeight >= LEAST_HEIGHT;
	}

	public function stageSize():{width:Int, height:Int} {
		return {width: theStage.stageWidth, height: theStage.stageHeight};
	}

	/** Flash's own dialog; it lies above everything and tells nobody when it closes. */
	public function showSettings():Void {
		Security.showSettings(SecurityPanel.PRIVACY);
	}

	function text(size:Int, colour:Int, bold:Bool, y:Int):TextField {
		var field = new TextField();
		field.defaultTextFormat = new TextFormat("_sans", size, colour, bold);
		field.selectable = false;
		field.multiline = field.wordWrap = true;
		field.x = EDGE;
		field.y = y;
		field.width = WIDTH - 2 * EDGE;
		return field;
	}

	function makeButton(words:String):Sprite {
		var width = WIDTH - 2 * EDGE;
		var button = new Sprite();
		button.graphics.beginFill(GREEN);
		button.graphics.drawRoundRect(0, 0, width, 28, 8);
		button.graphics.endFill();
		var label = new TextField();
		// A format is copied when it is set, so it has to be whole by then.
		var format = new TextFormat("_sans", 12, 0xFFFFFF, true);
		format.align = TextFormatAlign.CENTER;
		label.defaultTextFormat = format;
		label.selectable = label.mouseEnabled = false;
		label.x = 0;
		label.y = 4;
		label.width = width;
		label.height = 20;
		label.text = words;
		button.addChild(label);
		button.x = EDGE;
		button.y = HEIGHT - EDGE - 28;
		button.buttonMode = button.useHandCursor = true;
		button.visible = false;
		button.addEventListener(MouseEvent.CLICK, function(_) showSettings());
		return button;
	}
}
