/** In the place of flash.net.Responder. */
class StandInAnswer {
	public final done:Dynamic->Void;
	public final failed:Dynamic->Void;

	public function new(done:Dynamic->Void, failed:Dynamic->Void) {
		this.done = done;
		this.failed = failed;
	}
}
