/**
 * Types of `/api/rtckit.js`: phone calls from a web page.
 *
 * ```html
 * <script src="https://call.shop.example/api/rtckit.js"></script>
 * <div id="phone"></div>
 * <script>
 *   RTCKit.webPhone.onConnectStateChanged = function (info) {
 *     if (info.connected) RTCKit.webPhone.register({ registrar: '...', username: '...', password: '...' });
 *   };
 *   RTCKit.webPhone.onRegStateChanged = function (info) {
 *     if (info.registered) RTCKit.webPhone.call({ uri: 'sip:100@example.com' });
 *   };
 *   RTCKit.webPhone.embed({ container: 'phone' });
 *   RTCKit.webPhone.connect();
 * </script>
 * ```
 *
 * With a configured button (`embed({ container: 'phone', button: 'sales' })`) there is nothing to
 * register: `call()` goes to the button's destination.
 */
declare namespace RTCKit {
  /** The one phone of this page. */
  const webPhone: WebPhone;

  interface WebPhone {
    /**
     * Puts the phone into the page. Assign the handlers first. A second call replaces the phone
     * and ends its calls.
     */
    embed(options: EmbedOptions): void;
    /** Connects to the appliance and stays connected. The outcome comes to `onConnectStateChanged`. */
    connect(): void;
    /** Ends all calls and disconnects. */
    disconnect(): void;
    /** Registers an account; only registrars that the appliance's operator allows are accepted. */
    register(account: Account): void;
    /** Takes the registration back. */
    unregister(): void;
    /**
     * Starts a call and returns its callId at once. Call it in a click handler: browsers play
     * sound for a person who has clicked.
     */
    call(options?: CallOptions): CallId;
    /**
     * Takes an incoming call. Call it in a click handler, as `call`. The microphone is asked for now,
     * and the caller is answered once it is there. Other calls that talk are put on hold. `callId` may
     * be left out where one call rings.
     */
    answer(options?: { callId?: CallId; video?: boolean }): void;
    /** Declines an incoming call. `callId` as in `answer`. */
    reject(options?: { callId?: CallId }): void;
    /** Ends a call in whatever state it is. `callId` may be left out where there is one call. */
    hangup(options?: { callId?: CallId }): void;
    /** Sends keypad digits, 1 to 32 of `0-9`, `*`, `#` and `A-D`. */
    sendDtmf(options: { digits: string; callId?: CallId }): void;
    /** Puts a call on hold: neither end hears the other until `resume`. Its state becomes `held`. */
    hold(options?: { callId?: CallId }): void;
    /** Takes a call back from hold. Another call that talks is put on hold, but for Flash. */
    resume(options?: { callId?: CallId }): void;
    /**
     * Sends the far end to another address of the account's own registrar. Where that works, the call
     * ends; where not, it goes on and `onError` says why. Not for calls of a button.
     */
    transfer(options: { callId?: CallId; uri: string; toCallId?: undefined }): void;
    /**
     * Connects the far ends of two calls of this page that were answered, held ones too: that of
     * `callId` is asked to take this page's place in `toCallId`. Where that works, both calls end here.
     * `callId` may be left out where there is one other call.
     */
    transfer(options: { callId?: CallId; toCallId: CallId; uri?: undefined }): void;
    /** Silences the microphone, or opens it again. */
    setMicMuted(muted: boolean): void;
    /** How loud the far end is, 0 to 1. iOS leaves this to its buttons. */
    setVolume(level: number): void;
    /**
     * The devices to choose from. Browsers tell their names only once the microphone was allowed,
     * Flash once it is connected.
     */
    devices(): Promise<Devices>;
    /** The same for browsers without promises. */
    devices(then: (devices: Devices) => void): void;
    /** Uses another device, at once and for later calls. */
    selectDevice(device: { kind: 'microphone' | 'speaker'; id: string }): void;

    /**
     * The connection to the appliance came or went. A connection that broke and came back with all
     * its calls is not reported; one that lost them is reported as gone and then as there.
     */
    onConnectStateChanged?: ((connectInfo: ConnectInfo) => void) | null;
    /** The account's registration changed. */
    onRegStateChanged?: ((regInfo: RegInfo) => void) | null;
    /** A call changed its state. `ended` comes once and last. */
    onCallStateChanged?: ((callInfo: CallInfo) => void) | null;
    /**
     * Somebody calls the registered account. `callInfo.state` is `ringing`; what comes of it, also
     * when the caller gives up, is told to `onCallStateChanged`.
     */
    onIncomingCall?: ((callInfo: CallInfo) => void) | null;
    /** The microphone was asked for, given, refused, paused or lost. */
    onMicStateChanged?: ((micInfo: MicInfo) => void) | null;
    /** How the call sounds. Never called through Flash. */
    onQualityChanged?: ((qualityInfo: QualityInfo) => void) | null;
    /** Something could not be done. */
    onError?: ((errorInfo: ErrorInfo) => void) | null;
  }

  /** A call's name, unique in this page. */
  type CallId = string;

  interface EmbedOptions {
    /**
     * The element that the phone goes into, or its id. It stays empty to the eye; but Flash asks for
     * the microphone inside itself, so its phone is seen and needs 217 x 140 pixels.
     */
    container: string | HTMLElement;
    /** A configured button; without it calls go through the account that `register` names. */
    button?: string;
    /**
     * How to call; `auto` (the default) takes WebRTC where the browser has it, else Flash Player 11 or
     * newer. `flash` also takes what stands in for Flash Player, such as Ruffle, which cannot call.
     */
    backend?: 'auto' | 'webrtc' | 'flash';
    /** Whether calls may have video. Not in this version: calls are audio. */
    video?: boolean;
  }

  interface Account {
    /** `host` or `host:port`. */
    registrar: string;
    username: string;
    password: string;
  }

  interface CallOptions {
    /** Whom to call, such as `sip:100@example.com`. May be left out with a button. */
    uri?: string;
    /** Whether video is wanted. */
    video?: boolean;
    /** Page data for the shop, at most 8; those that the operator allows are sent as `X-` headers. */
    headers?: { [name: string]: string };
  }

  interface ConnectInfo {
    connected: boolean;
    /** There is no connection, and one is being tried for. */
    reconnecting: boolean;
  }

  interface RegInfo {
    registered: boolean;
    /** The SIP status, 0 where there is none. */
    code: number;
    /** What to tell a person. */
    reason: string;
  }

  /**
   * - `early`: the far end sends sound before it has picked up
   * - `held`: this page has put the call on hold; a far end that holds it changes no state
   */
  type CallState = 'calling' | 'ringing' | 'early' | 'active' | 'held' | 'ended';

  /** Why a call ended. */
  type EndCause =
    | 'visitor-hung-up' | 'shop-hung-up' | 'cancelled' | 'busy' | 'no-answer' | 'declined' | 'not-found'
    | 'unreachable' | 'forbidden' | 'authentication-failed' | 'no-common-codec' | 'not-encrypted' | 'provider-silent'
    | 'provider-failed' | 'no-microphone' | 'no-media' | 'visitor-lost' | 'silence' | 'too-long' | 'limit'
    | 'stopped' | 'internal';

  interface CallInfo {
    callId: CallId;
    /** `out` for calls that this page started. */
    direction: 'out' | 'in';
    state: CallState;
    /** The far party's address; empty where it is the shop's secret. */
    uri: string;
    /** The far party's name. */
    displayName: string;
    /** Whether video flows. */
    video: boolean;
    /** The SIP status behind the state, 0 where there is none. */
    code: number;
    /** What to tell a person. */
    reason: string;
    /** Why it ended; empty until then. */
    cause: EndCause | '';
    /** When it was answered, in milliseconds as of `Date.now()`; 0 before. */
    startedAt: number;
  }

  /**
   * - `asking`: the browser asks the visitor
   * - `live`: it is on (`micMuted` says whether the page silenced it)
   * - `muted`: the device paused it, as for a phone call on iOS
   * - `ended`: it was unplugged or taken away
   * - `refused`, `none`, `busy`, `failed`: it cannot be had
   * - `no-allow`, `policy`: the page around the phone does not pass it on
   * - `insecure`: the page is not a secure (https) one
   */
  type MicState =
    | 'asking' | 'live' | 'muted' | 'ended' | 'refused' | 'none' | 'busy' | 'no-allow' | 'policy' | 'insecure'
    | 'failed';

  interface MicInfo {
    state: MicState;
    /** What to tell a person. */
    message: string;
    /** What to do about it. */
    hint: string;
    /** Whether the call page in a window of its own would get the microphone. */
    popup: boolean;
    /** Whether `setMicMuted(true)` is in force. */
    micMuted: boolean;
  }

  interface QualityInfo {
    callId: CallId;
    level: 'good' | 'fair' | 'poor';
    /** Where the trouble is. */
    reason:
      | 'none' | 'visitor-loss-up' | 'visitor-loss-down' | 'visitor-delay' | 'phone-loss' | 'phone-silent'
      | 'visitor-silent' | 'interrupted';
    /** The same in words. */
    message: string;
    /** Packets lost from the visitor to the appliance, percent. */
    lossUp: number;
    /** Packets lost from the phone to the appliance, percent. */
    lossDown: number;
    /** Between page and appliance, milliseconds; 0 if not yet measured. */
    roundTrip: number;
    /** Towards the browser and towards the phone, such as `opus/pcma`. */
    codecs: string;
  }

  /** The first two lines come from the appliance, the rest from this page; the last three from Flash. */
  type ErrorCode =
    | 'version' | 'unknown-button' | 'forbidden' | 'limit' | 'bad-message' | 'bad-offer' | 'unknown-call'
    | 'unavailable' | 'transfer-failed' | 'hold-failed' | 'draining' | 'internal'
    | 'unsupported-browser' | 'insecure' | 'flash-unavailable' | 'frame-blocked' | 'no-container' | 'not-embedded'
    | 'flash-blocked' | 'flash-unreachable' | 'flash-connection-lost' | 'flash-command-failed' | 'not-connected'
    | 'flash-media-failed' | 'flash-slow-network' | 'flash-status' | 'flash-security' | 'flash-async' | 'flash-io'
    | 'flash-too-small' | 'camera-none' | 'camera-refused' | 'camera-no-h264';

  interface ErrorInfo {
    code: ErrorCode;
    /** What happened, in words. */
    message: string;
    /** What to do about it, in words; may be empty. */
    hint: string;
    /** The call that it is about. */
    callId?: CallId;
    /** Flash's own name for it, such as `NetConnection.Connect.Failed`; through Flash only. */
    status?: string;
  }

  interface Device {
    id: string;
    label: string;
  }

  interface Devices {
    microphones: Device[];
    /** Empty where the browser does not let pages choose. */
    speakers: Device[];
  }
}

interface Window {
  RTCKit: typeof RTCKit;
}
