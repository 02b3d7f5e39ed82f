/*
 * RTCKit.webPhone: phone calls from a page. See rtckit.d.ts for every member.
 *
 * Written in the JavaScript of 2009 on purpose: a browser too old for WebRTC must get far enough to
 * be told so, or to find its Flash. The phone itself runs in a frame of the appliance, which this
 * file talks to by messages; or in a Flash film, which flash.js knows how to talk to. Pages load one
 * file: what is in the folder rtckit is put in where a line names it.
 */
(function (window, document) {
    'use strict';

    var MARK = 'rtckit-1';
    var FRAME_WITHIN = 15000;
    var WIDTH = 217;
    var HEIGHT = 140;

    var RTCKit = window.RTCKit = window.RTCKit || {};
    if (RTCKit.webPhone && RTCKit.webPhone.embed) {
        return; // Included twice: the first one has the page's handlers.
    }
    var phone = RTCKit.webPhone = {};
    var base = ownOrigin();

    // { backend: 'webrtc' | 'flash' | null, frame or film, ready, send, waiting, timer }
    var embedded = null;
    var connected = false; // as the page was last told
    var calls = {};        // callId -> last callInfo
    var numbers = 0;
    var requests = {};

    // {{part rtckit/origin.js}}

    // --- telling the page ---------------------------------------------------------------------

    /** Calls a handler that the page may have assigned. Its mistakes are its own. */
    function tell(name, info) {
        var handler = phone[name];
        if (typeof handler !== 'function') {
            return;
        }
        try {
            handler.call(phone, info);
        } catch (mistake) {
            // Still seen in the console, but the phone goes on.
            window.setTimeout(function () { throw mistake; }, 0);
        }
    }

    /** Later, so that handlers assigned after embed() hear it as well. */
    function tellLater(name, info) {
        window.setTimeout(function () { tell(name, info); }, 0);
    }

    function error(code, message, hint) {
        tellLater('onError', { code: code, message: message, hint: hint });
    }

    function tellConnected(now, more) {
        if (now === connected && !(more && more.again)) {
            return;
        }
        connected = now;
        tell('onConnectStateChanged', { connected: now, reconnecting: !!(more && more.reconnecting) });
    }

    // {{part rtckit/backend.js}}

    // --- the frame ----------------------------------------------------------------------------------

    function embedFrame(container, options) {
        var frame = document.createElement('iframe');
        var button = options.button;
        var state = { backend: 'webrtc', frame: frame, ready: false, waiting: [], timer: 0 };
        state.send = function (name, argument) { post({ command: name, argument: argument }); };
        frame.src = base + (button ? '/b/' + encodeURIComponent(button) + '?api=1' : '/webphone');
        frame.setAttribute('allow', 'microphone; camera; autoplay; speaker-selection');
        frame.setAttribute('title', 'Phone');
        frame.setAttribute('frameborder', '0');
        frame.style.border = '0';
        show(frame, false);
        state.timer = window.setTimeout(function () {
            if (embedded === state && !state.ready) {
                error('frame-blocked', 'The phone could not be loaded from ' + base,
                    'The appliance must be reachable, must allow this page\'s origin, and the page\'s '
                    + 'Content-Security-Policy must allow frames from there');
                tellConnected(false, { again: true });
            }
        }, FRAME_WITHIN);
        embedded = state;
        container.appendChild(frame);
    }

    // --- the film ---------------------------------------------------------------------------------

    /** Flash's question for the microphone is drawn inside the film, so the film is always seen. */
    function embedFilm(container, options) {
        var state = { backend: 'flash', film: null, ready: false, waiting: [], timer: 0 };
        function blocked() {
            if (embedded === state && !state.ready) {
                giveUp({
                    code: 'flash-blocked', message: 'The Flash phone did not start',
                    hint: 'The browser must allow Flash on this page, and the page\'s Content-Security-Policy '
                        + 'scripts, connections and objects from ' + base
                });
            }
        }
        function loaded() {
            if (embedded !== state || state.film || !RTCKit.flash) {
                return;
            }
            state.film = RTCKit.flash.start({
                base: base, container: container, app: options.button || 'webphone',
                anyPlayer: options.backend === 'flash' && hasRuffle(),
                hear: function (type, detail) {
                    if (embedded === state) {
                        heard(type, detail);
                    }
                }
            });
            state.send = state.film.send;
        }
        var script;
        embedded = state;
        state.timer = window.setTimeout(blocked, FRAME_WITHIN);
        if (RTCKit.flash) {
            loaded();
            return;
        }
        script = document.createElement('script');
        script.src = base + '/api/flash.js';
        script.onerror = blocked;
        // Internet Explorer 8 has the second of the two only.
        script.onload = script.onreadystatechange = loaded;
        container.appendChild(script);
    }

    /** There will be no phone: what waits for one is answered. */
    function giveUp(why) {
        var waiting = embedded.waiting;
        window.clearTimeout(embedded.timer);
        embedded.backend = null;
        error(why.code, why.message, why.hint);
        while (waiting.length) {
            var early = waiting.shift();
            if (early.command === 'call') {
                tellEnded(early.argument.callId, early.argument.uri, why.message);
            }
        }
        calls = {};
        window.setTimeout(function () { tellConnected(false, { again: true }); }, 0);
    }

    /** Invisible, but for the moment when the browser wants a tap before it plays sound. */
    function show(frame, visible) {
        frame.width = visible ? WIDTH : 1;
        frame.height = visible ? HEIGHT : 1;
        frame.style.opacity = visible ? '1' : '0';
        if (visible) {
            frame.removeAttribute('aria-hidden');
            frame.removeAttribute('tabindex');
        } else {
            frame.setAttribute('aria-hidden', 'true');
            frame.setAttribute('tabindex', '-1');
        }
    }

    function post(message) {
        message.mark = MARK;
        embedded.frame.contentWindow.postMessage(message, base);
    }

    /** Sends a command to the phone, as soon as there is one. */
    function command(name, argument) {
        if (!embedded) {
            error('not-embedded', name + '() was called before embed()', 'Call embed({container: ...}) first');
            return false;
        }
        if (!embedded.backend) {
            return false; // The page was told so by embed().
        }
        if (embedded.ready) {
            embedded.send(name, argument);
        } else if (embedded.waiting.length < 64) {
            embedded.waiting.push({ command: name, argument: argument });
        }
        return true;
    }

    function onMessage(event) {
        var data = event.data;
        if (!embedded || !embedded.frame || event.origin !== base
            || event.source !== embedded.frame.contentWindow || !data || data.mark !== MARK) {
            return;
        }
        heard(data.type, data.detail || {});
    }

    /** What either phone says. */
    function heard(type, detail) {
        switch (type) {
        case 'loaded':
            // Also after the frame loaded itself anew: then it is a new phone.
            if (embedded.ready) {
                embedded.ready = false;
                tellConnected(false);
            }
            post({ command: 'hello' });
            break;
        case 'ready':
            window.clearTimeout(embedded.timer);
            embedded.ready = true;
            while (embedded.waiting.length) {
                var early = embedded.waiting.shift();
                embedded.send(early.command, early.argument);
            }
            break;
        case 'failed':
            giveUp(detail);
            break;
        case 'connection':
            onConnection(detail);
            break;
        case 'registration':
            tell('onRegStateChanged', detail);
            break;
        case 'state':
            onState(detail);
            break;
        case 'incoming':
            calls[detail.callId] = detail;
            tell('onIncomingCall', detail);
            break;
        case 'microphone':
            tell('onMicStateChanged', detail);
            break;
        case 'quality':
            tell('onQualityChanged', detail);
            break;
        case 'error':
            tell('onError', detail);
            break;
        case 'tap-needed':
            show(embedded.frame, true);
            break;
        case 'tap-done':
            show(embedded.frame, false);
            break;
        case 'devices':
            if (requests[detail.request]) {
                requests[detail.request]({ microphones: detail.microphones, speakers: detail.speakers });
                delete requests[detail.request];
            }
            break;
        }
    }

    /**
     * Pages register and call when they hear "connected". So a socket that dropped and came back
     * with all calls alive is not worth a word, and one that lost them is a new connection.
     */
    function onConnection(state) {
        if (state.connected) {
            if (connected && !state.resumed) {
                tellConnected(false);
            }
            tellConnected(true);
        } else if (state.lost || !state.reconnecting) {
            tellConnected(false, { again: true, reconnecting: state.reconnecting });
        } else if (!connected) {
            tellConnected(false, { again: true, reconnecting: true });
        }
    }

    function onState(info) {
        if (info.state === 'ended') {
            delete calls[info.callId];
        } else {
            calls[info.callId] = info;
        }
        tell('onCallStateChanged', info);
    }

    // --- the members ----------------------------------------------------------------------------

    /** Whether a call has come in and was not answered. */
    function comesIn(info) {
        return info.direction === 'in' && info.state === 'ringing';
    }

    /** The call that is meant: the named one, or the only one, or the only one that `fits`. */
    function callMeant(name, callId, fits) {
        var only = null;
        var count = 0;
        var key;
        if (callId) {
            return callId;
        }
        for (key in calls) {
            if (Object.prototype.hasOwnProperty.call(calls, key) && (!fits || fits(calls[key]))) {
                only = key;
                count++;
            }
        }
        if (!count && fits && name !== 'answer') {
            // The only call is meant whatever its state. Nobody answers a call of their own.
            return callMeant(name);
        }
        if (count !== 1) {
            error('unknown-call', (count ? 'There is more than one call' : 'There is no call') + (fits ? ' to ' + name : ''),
                count ? 'Say which one: ' + name + '({callId: ...})' : '');
            return null;
        }
        return only;
    }

    phone.embed = function (options) {
        options = options || {};
        var backend = choose(options.backend || 'auto');
        var container = options.container;
        if (embedded && (embedded.frame || embedded.film)) {
            window.clearTimeout(embedded.timer);
            if (embedded.film) {
                embedded.film.remove();
            } else if (embedded.frame.parentNode) {
                embedded.frame.parentNode.removeChild(embedded.frame);
            }
            calls = {};
            tellConnected(false);
        }
        var early = embedded = { backend: backend, frame: null, ready: false, waiting: [] };
        if (!backend) {
            return;
        }
        var put = backend === 'flash' ? embedFilm : embedFrame;
        var element = typeof container === 'string' ? document.getElementById(container) : container;
        if (element && element.appendChild) {
            put(element, options);
        } else if (document.readyState !== 'complete') {
            // Called in the head, before the container is there. Commands wait meanwhile.
            whenLoaded(function () {
                if (embedded !== early) {
                    return;
                }
                element = document.getElementById(container);
                if (element) {
                    put(element, options);
                    embedded.waiting = early.waiting;
                } else {
                    noContainer(container);
                }
            });
        } else {
            noContainer(container);
        }
    };

    function whenLoaded(then) {
        if (document.addEventListener) {
            document.addEventListener('DOMContentLoaded', then);
        } else {
            window.attachEvent('onload', then);
        }
    }

    function noContainer(container) {
        embedded = null;
        error('no-container', 'There is no element with the id "' + container + '"',
            'Give embed() the id of an element of the page');
    }

    phone.connect = function () {
        if (command('connect')) {
            return;
        }
        if (embedded) {
            tellLater('onConnectStateChanged', { connected: false, reconnecting: false });
        }
    };

    phone.disconnect = function () {
        command('disconnect');
    };

    phone.register = function (account) {
        account = account || {};
        command('register', {
            registrar: account.registrar, username: account.username, password: account.password
        });
    };

    phone.unregister = function () {
        command('unregister');
    };

    phone.call = function (options) {
        options = options || {};
        var callId = 'call-' + (++numbers) + '-' + Math.random().toString(36).slice(2, 8);
        var sent = command('call', {
            callId: callId, uri: options.uri, video: !!options.video, headers: plain(options.headers)
        });
        if (!sent) {
            tellEnded(callId, options.uri, 'The phone is not available');
        } else if (!calls[callId]) {
            calls[callId] = { callId: callId, state: 'calling' };
        }
        return callId;
    };

    function tellEnded(callId, uri, reason) {
        tellLater('onCallStateChanged', {
            callId: callId, direction: 'out', state: 'ended', uri: uri || '', displayName: '',
            video: false, code: 0, reason: reason, cause: 'internal', startedAt: 0
        });
    }

    /** Only texts cross to the frame: functions and elements cannot, and would fail the whole call. */
    function plain(headers) {
        var result = {};
        var name;
        for (name in headers || {}) {
            if (Object.prototype.hasOwnProperty.call(headers, name)) {
                result[name] = String(headers[name]);
            }
        }
        return result;
    }

    phone.setMicMuted = function (muted) {
        command('setMicMuted', { muted: !!muted });
    };

    phone.setVolume = function (level) {
        command('setVolume', { level: Number(level) });
    };

    /** A promise where the browser has promises; otherwise give a function. */
    phone.devices = function (then) {
        var request = ++numbers;
        function ask(resolve) {
            if (command('devices', { request: request })) {
                requests[request] = resolve;
            } else {
                resolve({ microphones: [], speakers: [] });
            }
        }
        if (typeof then === 'function') {
            ask(then);
            return undefined;
        }
        return window.Promise ? new window.Promise(ask) : undefined;
    };

    phone.selectDevice = function (device) {
        device = device || {};
        command('selectDevice', { kind: device.kind, id: device.id });
    };

    /** A member that asks for something of a call; `more` makes the rest of its argument. */
    function member(name, more, fits) {
        phone[name] = function (given) {
            var callId = callMeant(name, given && given.callId, fits);
            var argument;
            if (callId) {
                argument = more ? more(given || {}) : {};
                argument.callId = callId;
                command(name, argument);
            }
        };
    }

    member('answer', function (given) { return { video: !!given.video }; }, comesIn);
    member('reject', null, comesIn);
    member('hangup');
    member('hold');
    member('resume');
    member('sendDtmf', function (given) { return { digits: String(given.digits) }; });

    /** Sends a far end to an address, or joins it with that of another call: one of the two is said. */
    phone.transfer = function (given) {
        var to = given && given.toCallId;
        var uri = given && given.uri;
        var callId = callMeant('transfer', given && given.callId, to && function (info) { return info.callId !== to; });
        if (!callId) {
            return;
        }
        if (!uri === !to) {
            error('bad-message', uri ? 'A transfer goes to an address or to another call, not to both'
                : 'A transfer goes somewhere', 'Call transfer({uri: ...}) or transfer({toCallId: ...})');
        } else {
            command('transfer', to ? { callId: callId, toCallId: String(to) } : { callId: callId, uri: String(uri) });
        }
    };

    if (window.addEventListener) {
        window.addEventListener('message', onMessage, false);
    }
}(window, document));
