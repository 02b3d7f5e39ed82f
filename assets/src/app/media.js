// One call's media: the peer connection, the element that plays the far end, and the figures.

// ICE that has not connected after this long will not.
const CONNECT_WITHIN = 15_000;
// A path may hiccup; only one that stays away is worth a restart.
const DISCONNECTED_FOR = 2_500;
const RESTART_EVERY = 6_000;
const RESTART_WITHIN = 10_000;
const REPORT_EVERY = 3_000;

/** Percent of `part` in `whole`, 0 where there was nothing. */
const percent = (part, whole) => (whole > 0 ? Math.min(100, Math.max(0, 100 * part / whole)) : 0);

/** What getStats says of the time between two looks at it. Each is an iterable of statistics. */
export function measure(now, before) {
  const pick = (stats) => {
    const found = { lost: 0, received: 0, jitter: 0, concealed: 0, played: 0, roundTrip: 0, codec: '' };
    for (const entry of stats ?? []) {
      if (entry.type === 'inbound-rtp' && entry.kind === 'audio') {
        found.lost = entry.packetsLost ?? 0;
        found.received = entry.packetsReceived ?? 0;
        found.jitter = (entry.jitter ?? 0) * 1000;
        // Silence that was never sent is no concealment.
        found.concealed = (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0);
        found.played = entry.totalSamplesReceived ?? 0;
      } else if (entry.type === 'candidate-pair' && entry.nominated && entry.currentRoundTripTime) {
        found.roundTrip ||= entry.currentRoundTripTime * 1000;
      } else if (entry.type === 'remote-inbound-rtp' && entry.roundTripTime) {
        found.roundTrip = entry.roundTripTime * 1000;
      }
    }
    return found;
  };
  const [a, b] = [pick(before), pick(now)];
  const lost = Math.max(0, b.lost - a.lost);
  return {
    loss: percent(lost, lost + b.received - a.received),
    jitter: b.jitter,
    roundTrip: b.roundTrip,
    concealed: percent(b.concealed - a.concealed, b.played - a.played),
  };
}

/** A peer connection with its offer, made before it is needed. Nothing of it has left the machine. */
export class Prepared {
  sdp = null;

  constructor() {
    // No servers: ours is ICE-lite on a public address, and its answer brings its candidates.
    this.pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.transceiver = this.pc.addTransceiver('audio', { direction: 'sendrecv' });
    this.offered = this.pc.createOffer().then(({ sdp }) => { this.sdp = sdp; });
    this.offered.catch(() => {}); // Whoever waits for it is told.
  }

  close() {
    this.pc.close();
  }
}

export class CallMedia {
  #on;
  #prepared;
  #pc;
  #sender;
  #receiver;
  #audio;
  #local = Promise.resolve();
  #answered = false;
  #connected = false;
  #closed = false;
  #restarting = false;
  #interrupted = false;
  #connectTimer = 0;
  #restartTimer = 0;
  #reportTimer = 0;
  #before = null;

  /**
   * Everything that iOS wants done in the click handler happens here, without an await.
   * `on`: `noMedia()`, `offer(sdp)` for a restart, `report(figures)`, `blocked()` when the
   * browser does not let sound play without a tap, `playing()` when it plays, `connected()`, and
   * `interrupted(lasts)` when nothing comes through any more, and when it does again.
   */
  constructor({ volume, speaker, prepared = new Prepared(), on }) {
    this.#on = on;
    this.#prepared = prepared;
    this.#pc = prepared.pc;
    this.#sender = prepared.transceiver.sender;
    this.#receiver = prepared.transceiver.receiver;
    this.#audio = document.createElement('audio');
    this.#audio.autoplay = true;
    this.#audio.setAttribute('playsinline', '');
    this.#audio.hidden = true;
    this.#audio.volume = volume;
    // The receiver's track is there, silent, before the answer: so it can be played now.
    this.#audio.srcObject = new MediaStream([this.#receiver.track]);
    document.body.append(this.#audio);
    this.#audio.onpause = () => this.play();
    this.#audio.onplaying = () => this.#on.playing();
    this.play();
    if (speaker) this.useSpeaker(speaker);
    const changed = () => this.#stateChanged();
    this.#pc.oniceconnectionstatechange = changed;
    this.#pc.onconnectionstatechange = changed;
  }

  /** The far end's track. */
  get remoteTrack() {
    return this.#receiver.track;
  }

  /** The far end's level from the packets themselves, for pages whose AudioContext stands still. */
  get remoteLevel() {
    return this.#receiver.getSynchronizationSources?.()[0]?.audioLevel ?? 0;
  }

  play() {
    if (this.#closed) return;
    this.#audio.play()?.catch((error) => {
      if (error?.name === 'NotAllowedError' && !this.#closed) this.#on.blocked();
    });
  }

  set volume(volume) {
    this.#audio.volume = volume;
  }

  useSpeaker(id) {
    return this.#audio.setSinkId?.(id).catch(() => {});
  }

  /** Sends this track; null for silence. */
  async send(track) {
    if (!this.#closed) await this.#sender.replaceTrack(track);
  }

  /** Settles when there is an offer, at once where it was prepared. */
  get offered() {
    return this.#prepared.sdp === null ? this.#prepared.offered : null;
  }

  /** The offer. It may be sent before the browser has taken it in; the answer waits for that. */
  offer() {
    const { sdp } = this.#prepared;
    this.#local = this.#pc.setLocalDescription({ type: 'offer', sdp });
    this.#local.catch(() => {});
    return sdp;
  }

  /** Takes the server's answer to the last offer. */
  async answer(sdp) {
    await this.#local;
    if (this.#closed || this.#pc.signalingState !== 'have-local-offer') return;
    await this.#pc.setRemoteDescription({ type: 'answer', sdp });
    this.#restarting = false;
    if (!this.#answered) {
      this.#answered = true;
      this.#connectTimer = setTimeout(() => this.#on.noMedia(), CONNECT_WITHIN);
      this.#stateChanged();
    }
  }

  /** New credentials for a new path: after a change of network, or when the old one is gone. */
  async restart() {
    if (this.#closed || !this.#answered || this.#restarting || this.#pc.signalingState !== 'stable') return;
    this.#restarting = true;
    try {
      const offer = await this.#pc.createOffer({ iceRestart: true });
      if (this.#closed) return;
      this.#local = this.#pc.setLocalDescription(offer);
      this.#on.offer(offer.sdp);
      await this.#local;
    } catch {
      this.#restarting = false;
      return;
    }
    // An answer that never comes must not block the next attempt.
    setTimeout(() => this.refused(), RESTART_WITHIN);
  }

  /** The server did not take the last restart. */
  refused() {
    if (!this.#restarting || this.#closed) return;
    this.#restarting = false;
    if (this.#pc.signalingState === 'have-local-offer') {
      this.#pc.setLocalDescription({ type: 'rollback' }).catch(() => {});
    }
  }

  #stateChanged() {
    if (this.#closed) return;
    const ice = this.#pc.iceConnectionState;
    // The encryption counts as well: ICE alone lets no sound through.
    const up = (this.#pc.connectionState ?? 'connected') === 'connected' && ['connected', 'completed'].includes(ice);
    if (up) {
      clearTimeout(this.#connectTimer);
      clearTimeout(this.#restartTimer);
      this.#restartTimer = 0;
      if (!this.#connected) this.#on.connected();
      this.#connected = true;
      this.#tellInterrupted(false);
      this.#reportTimer ||= setInterval(() => this.#report(), REPORT_EVERY);
    } else if (this.#connected && ['disconnected', 'failed'].includes(ice) && !this.#restartTimer) {
      this.#tellInterrupted(true);
      this.#restartLater(ice === 'failed' ? 0 : DISCONNECTED_FOR);
    } else if (this.#pc.connectionState === 'failed' && !this.#connected && this.#answered) {
      this.#on.noMedia();
    }
  }

  #tellInterrupted(lasts) {
    if (this.#interrupted === lasts) return;
    this.#interrupted = lasts;
    this.#on.interrupted(lasts);
  }

  #restartLater(wait) {
    this.#restartTimer = setTimeout(() => {
      this.restart();
      this.#restartLater(RESTART_EVERY);
    }, wait);
  }

  async #report() {
    const now = [...(await this.#pc.getStats()).values()];
    if (this.#closed) return;
    if (this.#before) this.#on.report(measure(now, this.#before));
    this.#before = now;
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#restartTimer);
    clearInterval(this.#reportTimer);
    this.#pc.close();
    this.#audio.onpause = null;
    this.#audio.onplaying = null;
    this.#audio.srcObject = null;
    this.#audio.remove();
  }
}
