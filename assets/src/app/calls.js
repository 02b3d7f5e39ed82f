// The test bench's calls: one card for each, with what can be done about it now.

const WORDS = {
  calling: 'Calling', ringing: 'Ringing', early: 'Connecting', active: 'In call', held: 'On hold', ended: 'Ended',
};
const KEYS = [...'123456789*0#'];
const KEY_NAMES = { '*': 'star', '#': 'pound' };

/** Which buttons a call has in a state. */
function offered({ direction, state }) {
  if (direction === 'in' && state === 'ringing') return ['answer', 'reject'];
  return isUp(state) ? ['hold', 'keys', 'send', 'hangup'] : ['hangup'];
}

const isUp = (state) => state === 'active' || state === 'held';

/** Who is at the other end, for eyes and ears. */
export function nameOf({ displayName, uri }) {
  return displayName || uri.replace(/^sips?:/, '').replace(/[;?].*$/, '').replace(/@.*$/, '') || 'The shop';
}

export class Calls {
  #list;
  #template;
  #phone;
  #rows = new Map(); // callId -> { element, info, answering }

  constructor({ list, template, phone }) {
    this.#list = list;
    this.#template = template;
    this.#phone = phone;
  }

  /** A call is there, or has changed. */
  show(info) {
    let row = this.#rows.get(info.callId);
    if (info.state === 'ended') {
      this.#remove(row, info.callId);
      return;
    }
    if (!row) {
      row = { element: this.#build(info.callId), info, answering: false };
      this.#rows.set(info.callId, row);
      // What rings is what is looked for, wherever the page is scrolled to.
      this.#list.prepend(row.element);
      this.#drawAll();
      row.element.scrollIntoView({ block: 'nearest' });
      return;
    }
    row.info = info;
    this.#drawAll();
  }

  /** How a call sounds. */
  quality({ callId, level, message, lossUp, lossDown, roundTrip, codecs }) {
    const row = this.#rows.get(callId);
    if (!row) return;
    row.element.querySelector('.quality').textContent = `${level}: ${message || ''} up ${lossUp} %, down ${lossDown} %, `
      + `round trip ${Math.round(roundTrip)} ms, ${codecs}`;
  }

  /** The phone is gone, and its calls with it. */
  clear() {
    for (const [callId, row] of [...this.#rows]) this.#remove(row, callId);
  }

  #build(callId) {
    const element = this.#template.content.firstElementChild.cloneNode(true);
    const keypad = element.querySelector('.keypad');
    for (const key of KEYS) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = key;
      button.dataset.digit = key;
      if (KEY_NAMES[key]) button.setAttribute('aria-label', KEY_NAMES[key]);
      keypad.append(button);
    }
    const form = element.querySelector('form');
    element.addEventListener('click', ({ target }) => {
      const { do: what, digit } = target.closest('button')?.dataset ?? {};
      if (digit) this.#phone.sendDtmf({ callId, digits: digit });
      else if (what) this.#do(what, callId);
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#phone.transfer({ callId, uri: form.querySelector('input').value });
    });
    return element;
  }

  #do(what, callId) {
    const row = this.#rows.get(callId);
    switch (what) {
      case 'answer':
        row.answering = true;
        this.#draw(row);
        this.#phone.answer({ callId });
        break;
      case 'hold':
        if (row.info.state === 'held') this.#phone.resume({ callId });
        else this.#phone.hold({ callId });
        break;
      case 'keys': this.#unfold(row, 'keys', row.element.querySelector('.keypad')); break;
      case 'join': this.#phone.transfer({ callId, toCallId: this.#otherUp(row)?.info.callId }); break;
      case 'send': this.#unfold(row, 'send', row.element.querySelector('form')); break;
      default: this.#phone[what]({ callId });
    }
  }

  #unfold(row, what, part) {
    part.hidden = !part.hidden;
    row.element.querySelector(`[data-do="${what}"]`).setAttribute('aria-expanded', String(!part.hidden));
    if (!part.hidden) part.querySelector('button, input').focus();
  }

  /** The one other call that is up. */
  #otherUp(row) {
    const up = [...this.#rows.values()].filter((other) => other !== row && isUp(other.info.state));
    return up.length === 1 ? up[0] : undefined;
  }

  /** What can be done about a call depends on the others. */
  #drawAll() {
    for (const row of this.#rows.values()) this.#draw(row);
  }

  #draw(row) {
    const { element, info, answering } = row;
    // Looked at first: a browser takes the focus from what is hidden as soon as it is asked.
    const focused = document.activeElement;
    const name = nameOf(info);
    element.dataset.state = info.state;
    element.dataset.direction = info.direction;
    element.querySelector('strong').textContent = name;
    element.querySelector('.who span').textContent = info.uri;
    const rings = info.direction === 'in' && info.state === 'ringing';
    const said = element.querySelector('.said');
    said.textContent = rings ? (answering && 'Answering') || 'Calls you' : WORDS[info.state];
    said.classList.toggle('on', info.state === 'active');
    const buttons = rings && answering ? ['hangup'] : offered(info);
    const other = isUp(info.state) && this.#otherUp(row);
    if (other) {
      buttons.push('join');
      element.querySelector('[data-do="join"]').textContent = `Join with ${nameOf(other.info)}`;
    }
    for (const button of element.querySelectorAll('[data-do]')) {
      button.hidden = !buttons.includes(button.dataset.do);
      // What is read begins with what is seen.
      button.setAttribute('aria-label', `${button.textContent}: ${name}`);
    }
    const hold = element.querySelector('[data-do="hold"]');
    hold.setAttribute('aria-pressed', String(info.state === 'held'));
    if (!isUp(info.state)) for (const part of element.querySelectorAll('.keypad, form')) part.hidden = true;
    // A button that went away under the finger leaves the focus to what is pressed next.
    if (element.contains(focused) && focused.closest('[hidden]')) element.querySelector('[data-do="hangup"]').focus();
  }

  #remove(row, callId) {
    if (!row) return;
    const focused = row.element.contains(document.activeElement);
    row.element.remove();
    this.#rows.delete(callId);
    this.#drawAll();
    if (!focused) return;
    const next = this.#list.querySelector('button:not([hidden])') ?? document.getElementById('call');
    next.focus();
  }
}

export { WORDS };
