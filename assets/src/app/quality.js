// How a call sounds, in words for whoever is in it.

const QUALITY_WORDS = {
  'none': 'The connection is good',
  'visitor-loss-up': 'Your network loses part of what you say',
  'visitor-loss-down': 'Your network loses part of what you hear',
  'visitor-delay': 'Your network is slow',
  'phone-loss': "The other side's line loses sound",
  'phone-silent': 'Nothing is heard from the other side',
  'visitor-silent': 'Nothing is heard from your microphone',
  interrupted: 'The line is interrupted and being restored',
};

/** The detail of a 'quality' event: what the server says last, unless this end hears nothing at all. */
export function qualityInfo({ info: { callId }, quality, interrupted }) {
  const { level = 'good', reason = 'none', lossUp = 0, lossDown = 0, roundTrip = 0, codecs = '' } = quality ?? {};
  const now = interrupted ? { level: 'poor', reason: 'interrupted' } : { level, reason };
  const message = QUALITY_WORDS[now.reason] ?? '';
  return { callId, ...now, message, lossUp, lossDown, roundTrip, codecs };
}
