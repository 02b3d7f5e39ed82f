// The whole phone, as the JavaScript API offers it: a call page's, and what that has no button for.
// Accounts that the page brings along, calls that come in, hold and transfer.
//
//   const phone = await WebPhone.create({ page: document.referrer });
//   phone.addEventListener('incoming', ({ detail: { callId } }) => ...); // later phone.answer({ callId })
//
// One more event: 'incoming' (callInfo).

import { Phone, isSupported, ringsHere } from './phone.js';
import { microphoneInfo, microphoneTrouble } from './trouble.js';

export class WebPhone extends Phone {
  #inside = Phone.inside(this);

  register({ registrar, username, password }) {
    this.#inside.link.run('register', String(registrar ?? ''), String(username ?? ''), String(password ?? ''));
  }

  unregister() {
    this.#inside.link.run('unregister');
  }

  /**
   * Takes a call that came in, the only one where callId is left out. To be called in a click handler,
   * as call(). The caller is answered once there is a microphone: nobody pays for talking to silence.
   * One call talks at a time, so the others are held.
   */
  answer({ callId } = {}) {
    const call = this.#rung(callId, 'answer');
    if (!call) return;
    const trouble = isSupported() ? microphoneTrouble() : microphoneInfo('failed');
    if (trouble) {
      this.#inside.microphone.tell(trouble);
      this.#inside.hangup(call, 'no-microphone', 'no-microphone', trouble.message);
      return;
    }
    try {
      this.#inside.open(call);
      this.#inside.ring();
      this.#inside.sound.unlock();
      this.#holdOthers(call);
      this.#take(call);
    } catch (error) {
      console.error(error);
      this.#inside.hangup(call, 'no-media', 'no-media', 'The browser could not take the call');
    }
  }

  /** Declines a call that came in, the only one where callId is left out. */
  reject({ callId } = {}) {
    const call = this.#rung(callId, 'reject');
    if (call) this.#inside.hangup(call, 'rejected', 'declined', 'The call was declined');
  }

  /** Puts the far end on hold. The state 'held' comes when the server has done it. */
  hold({ callId } = {}) {
    const call = this.#inside.find(callId);
    if (call?.number) this.#inside.link.run('hold', call.number, true);
  }

  /** Takes a call back from hold; any other that talks is held. */
  resume({ callId } = {}) {
    const call = this.#inside.find(callId);
    if (!call?.number) return;
    if (call.info.state === 'held') this.#holdOthers(call);
    this.#inside.link.run('hold', call.number, false);
  }

  /** Sends the far end to another address of the same registrar, or joins it with that of another call. */
  transfer({ callId, uri, toCallId } = {}) {
    const call = this.#inside.find(callId);
    if (!call?.number) return;
    const other = toCallId && this.#inside.find(toCallId);
    if (other?.number) this.#inside.link.run('join', call.number, other.number);
    else if (toCallId) this.#inside.error('unknown-call', 'There is no call to join', '', String(toCallId));
    else this.#inside.link.run('transfer', call.number, String(uri ?? ''));
  }

  // --- calls that come in --------------------------------------------------------------------

  /** The call that rings here, or the page is told that there is none. */
  #rung(callId, what) {
    const rung = [...this.#inside.calls.values()].filter(ringsHere);
    const found = callId ? rung.find(({ info }) => info.callId === String(callId)) : rung[0];
    if (!found) this.#inside.error('unknown-call', `There is no call to ${what}`, '', callId ? String(callId) : undefined);
    return found;
  }

  /** The server announces a call. */
  comesIn({ call: number, uri, displayName, video, code, reason }) {
    const callId = this.#inside.newId('in');
    const info = {
      callId, direction: 'in', state: 'ringing', uri, displayName, video, code, reason, cause: '', startedAt: 0,
    };
    this.#inside.calls.set(callId, { info, number, media: null, meter: null, over: false });
    this.prepare();
    // It rings where the browser lets a page sound that nobody has touched; no tap is asked for.
    this.#inside.sound.unlock();
    this.#inside.ring();
    this.#inside.emit('incoming', { ...info });
  }

  async #take(call) {
    try {
      await this.#inside.speak(call);
      const { offered } = call.media;
      if (offered) await offered;
      if (call.over) return;
      if (!this.#inside.link.run('answer', call.number, false, call.media.offer())) {
        this.#inside.hangup(call, 'no-media', 'internal', this.#inside.refusal('The call could not be taken'));
      }
    } catch (error) {
      console.error(error);
      this.#inside.hangup(call, 'no-media', 'no-media', 'The browser could not take the call');
    }
  }

  #holdOthers(call) {
    for (const other of this.#inside.calls.values()) {
      if (other !== call && other.info.state === 'active') this.#inside.link.run('hold', other.number, true);
    }
  }
}
