// Why the microphone cannot be had, in words, and what would help.

const IN_A_WINDOW = 'Open the call in a window of its own.';
// No person refuses this fast: the browser remembers an answer, or was not allowed to ask.
const UNASKED_WITHIN = 150;

const WORDS = {
  asking: ['Please allow the microphone', 'Your browser asks for it now.'],
  live: ['The microphone is on', ''],
  muted: ['Your device has paused the microphone', 'Close the other app that uses it, then tap here.'],
  ended: ['The microphone was taken away', 'Plug it in again or choose another one, then tap here.'],
  refused: ['The microphone was not allowed',
    `${IN_A_WINDOW} Allow the microphone for this site in the address bar, then call again.`],
  none: ['No microphone was found', 'Plug one in, then call again.'],
  busy: ['Another program uses the microphone', 'Close it there, then call again.'],
  'no-allow': ['This page does not pass the microphone on to the call button',
    `${IN_A_WINDOW} For the site's owner: the iframe needs allow="microphone; camera; autoplay".`],
  policy: ['A rule of this site forbids the microphone',
    `${IN_A_WINDOW} For the site's owner: the header Permissions-Policy must allow the microphone.`],
  insecure: ['The microphone works on secure (https) pages only',
    `${IN_A_WINDOW} For the site's owner: serve the page over https.`],
  failed: ['The microphone could not be opened', 'Restart the browser, then call again.'],
};

/** A `micInfo` of the given state. `popup` says whether a window of its own would help. */
export function microphoneInfo(state, popup = false) {
  const [message, hint] = WORDS[state] ?? WORDS.failed;
  return { state, message, hint: popup ? hint : hint.replace(`${IN_A_WINDOW} `, ''), popup };
}

/** The same in a call that goes on: there a tap is enough, and a window would be another call. */
export function inCall({ state, message, hint }) {
  const words = hint.replace(`${IN_A_WINDOW} `, '').replace('then call again', 'then tap here');
  return { state, message, hint: words, popup: false };
}

/** Whether this page is framed, and if so by a page of another origin. */
function framing() {
  if (window.parent === window) return { framed: false, foreign: false, allow: null };
  try {
    // Throws, or is null, where the parent is of another origin.
    const frame = window.frameElement;
    if (frame) return { framed: true, foreign: false, allow: frame.getAttribute('allow') };
  } catch { /* another origin */ }
  return { framed: true, foreign: true, allow: null };
}

const policy = () => document.permissionsPolicy ?? document.featurePolicy ?? null;

function allows(feature) {
  try {
    return policy()?.allowsFeature(feature) ?? null;
  } catch {
    return null;
  }
}

const isLoopback = (host) => host === 'localhost' || host.endsWith('.localhost')
  || /^127(\.\d+){3}$/.test(host) || host === '[::1]';

/**
 * What is known to be in the way before asking: a `micInfo`, or null. It needs no await, so that a
 * click handler can still open a window.
 */
export function microphoneTrouble() {
  const { framed, foreign } = framing();
  if (!window.isSecureContext) {
    // A frame is insecure when any page around it is; our own address may be fine by itself.
    const own = location.protocol === 'https:' || isLoopback(location.hostname);
    return microphoneInfo('insecure', framed && own);
  }
  if (!navigator.mediaDevices?.getUserMedia) return microphoneInfo('failed');
  if (allows('microphone') === false) {
    // The pasted snippet names autoplay too. If that came through, the attribute is there and
    // the embedding page's header takes the microphone away; if not, the attribute is missing.
    if (foreign && allows('autoplay') === false) return microphoneInfo('no-allow', true);
    return microphoneInfo('policy', framed);
  }
  return null;
}

/** What an error of getUserMedia means: a `micInfo`. `waited` is how long it took, in ms. */
export async function explain(error, waited) {
  const { framed, foreign } = framing();
  switch (error?.name) {
    case 'NotFoundError':
    case 'DevicesNotFoundError':
    case 'OverconstrainedError':
      return microphoneInfo('none');
    case 'NotReadableError':
    case 'TrackStartError':
    case 'AbortError':
      return microphoneInfo('busy');
    case 'SecurityError':
      return microphoneInfo('policy', framed);
    case 'NotAllowedError':
    case 'PermissionDeniedError': {
      const known = microphoneTrouble();
      if (known) return known;
      // Firefox and Safari do not tell a page its policy: a foreign frame that nobody was asked
      // about lacks the attribute.
      if (foreign && policy() === null && waited < UNASKED_WITHIN) {
        const permission = await navigator.permissions?.query({ name: 'microphone' }).catch(() => null);
        if (permission?.state !== 'granted') return microphoneInfo('no-allow', true);
      }
      // An answer that was given to the store's site long ago does not hold for a window of ours.
      return microphoneInfo('refused', foreign && waited < UNASKED_WITHIN);
    }
    default:
      return microphoneInfo('failed');
  }
}
