/*
 * The Flash side of RTCKit.webPhone. rtckit.js loads it for browsers that have Flash Player and no
 * WebRTC. It puts /api/webphone.swf into the page, calls its methods, and turns
 * what that tells into the words that rtckit.js hears from the WebRTC frame as well.
 *
 * The appliance names calls, but a page wants a name at once: calls have the page's name here, and
 * the appliance's name once it is known.
 */
(function (window, document) {
    'use strict';

    var RTCKit = window.RTCKit = window.RTCKit || {};
    if (RTCKit.flash) {
        return;
    }

    var PLAYER = '11.0.0';
    var PORT = 1935;
    var PORT_WITHIN = 5000;
    var WIDTH = 217;
    var HEIGHT = 140;
    var MOST = 64;

    // What rtckit.js calls a command, and what the film does.
    var METHODS = {
        connect: 'phoneConnect', disconnect: 'phoneDisconnect', register: 'phoneRegister',
        unregister: 'phoneUnregister', call: 'phoneCall', answer: 'phoneAnswer', reject: 'phoneReject',
        hangup: 'phoneHangup', sendDtmf: 'phoneSendDtmf', hold: 'phoneHold', resume: 'phoneResume',
        transfer: 'phoneTransfer', setMicMuted: 'phoneSetMicMuted', setVolume: 'phoneSetVolume',
        devices: 'phoneDevices', selectDevice: 'phoneSelectDevice'
    };

    // What a SIP status says of a call that ended.
    var CAUSES = {
        403: 'forbidden', 404: 'not-found', 408: 'no-answer', 410: 'not-found', 480: 'no-answer', 484: 'not-found',
        486: 'busy', 487: 'cancelled', 488: 'no-common-codec', 600: 'busy', 603: 'declined', 604: 'not-found'
    };

    var films = {};
    var numbers = 0;

    RTCKit.flash = { start: start, heard: heard };

    // --- texts cross to the film and back percent-encoded: Flash escapes them badly ---------------

    function each(value, change) {
        var result, key;
        if (typeof value === 'string') {
            return change(value);
        }
        if (!value || typeof value !== 'object') {
            return value;
        }
        result = Object.prototype.toString.call(value) === '[object Array]' ? [] : {};
        for (key in value) {
            if (Object.prototype.hasOwnProperty.call(value, key) && value[key] !== undefined) {
                result[key] = each(value[key], change);
            }
        }
        return result;
    }

    function encode(text) {
        try {
            return encodeURIComponent(text);
        } catch (half) {
            // Half a surrogate pair has no encoding.
            return encodeURIComponent(text.replace(/[\ud800-\udfff]/g, '?'));
        }
    }

    function decode(text) {
        try {
            return decodeURIComponent(text);
        } catch (plain) {
            return text;
        }
    }

    /** The film calls this. Later, since a film that is called while it calls gets confused. */
    function heard(number, kind, detail) {
        window.setTimeout(function () {
            if (films[number]) {
                films[number].take(kind, each(detail, decode) || {});
            }
        }, 0);
    }

    // --- the appliance's port ------------------------------------------------------------------------

    /** Its UDP port for Flash, 0 where it takes no Flash calls; the usual one if it can't be asked. */
    function askPort(base, then) {
        var open = true;
        var timer = window.setTimeout(end, PORT_WITHIN);
        var request;
        function end(text) {
            var found = /"port"\s*:\s*(null|\d+)/.exec(typeof text === 'string' ? text : '');
            if (open) {
                open = false;
                window.clearTimeout(timer);
                then(found ? Number(found[1]) || 0 : PORT);
            }
        }
        try {
            // Internet Explorer 8 and 9 have a request of their own for other origins.
            request = window.XDomainRequest ? new window.XDomainRequest() : new window.XMLHttpRequest();
            request.onload = function () { end(request.responseText); };
            request.onerror = end;
            request.ontimeout = end;
            // A request of theirs without this handler is sometimes dropped.
            request.onprogress = function () {};
            request.open('GET', base + '/api/flash.json');
            request.send();
        } catch (unable) {
            end();
        }
    }

    /** Pages may have a swfobject, ours or the original one; both have what is used here. */
    function withSwfobject(options, then) {
        var script;
        function loaded() {
            if (window.swfobject && then) {
                then();
                then = null;
            }
        }
        if (window.swfobject) {
            loaded();
            return;
        }
        script = document.createElement('script');
        script.src = options.base + '/api/swfobject.js';
        script.onload = script.onreadystatechange = loaded;
        options.container.appendChild(script);
    }

    // --- one film --------------------------------------------------------------------------------------

    /**
     * Puts a film into `options.container`. `base`: the appliance's origin; `app`: a button's name or
     * 'webphone'; `anyPlayer`: also one that is no Flash Player; `hear(type, detail)`: what it tells.
     * Returns `{ send(command, argument), remove() }`.
     */
    function start(options) {
        var number = ++numbers;
        var id = 'rtckitFlash' + number;
        var hear = options.hear;
        var calls = {};   // the page's name -> { id, waiting, info, hungUp }
        var names = {};   // the appliance's name -> the page's
        var early = {};   // the appliance's name -> what it said before that name was known
        var placing = 0;
        var handle = { take: take, send: send, remove: remove };
        films[number] = handle;

        withSwfobject(options, begin);
        return handle;

        function begin() {
            if (!films[number]) {
                return;
            }
            if (!options.anyPlayer && !window.swfobject.hasFlashPlayerVersion(PLAYER)) {
                fail('The Flash Player of this browser is too old',
                    'Flash Player 11 or newer is needed; a current browser needs none');
                return;
            }
            askPort(options.base, function (port) {
                if (port && films[number]) {
                    insert(port);
                } else if (!port) {
                    fail('This appliance takes no calls through Flash',
                        'Use a current version of Chrome, Edge, Firefox or Safari');
                }
            });
        }

        function fail(message, hint) {
            hear('failed', { code: 'flash-unavailable', message: message, hint: hint });
        }

        function insert(port) {
            var place = document.createElement('div');
            place.setAttribute('id', id);
            place.id = id;
            options.container.appendChild(place);
            // No smaller: on less than 215 x 138 Flash refuses the microphone without asking.
            window.swfobject.createSWF({
                id: id, data: options.base + '/api/webphone.swf', width: String(WIDTH), height: String(HEIGHT)
            }, {
                movie: options.base + '/api/webphone.swf', allowscriptaccess: 'always', bgcolor: '#ffffff',
                flashvars: 'phone=' + number + '&port=' + port + '&app=' + encodeURIComponent(options.app)
            }, id);
        }

        function invoke(method, argument) {
            var film = document.getElementById(id);
            try {
                if (film && film[method](each(argument || {}, encode))) {
                    return true;
                }
            } catch (gone) {
                // Told below, as the film's own refusal is.
            }
            later('error', {
                code: 'internal', message: 'The Flash phone did not take ' + method, hint: 'Reload the page'
            });
            return false;
        }

        function send(name, argument) {
            var call = argument && argument.callId ? calls[argument.callId] : null;
            var other = argument && argument.toCallId ? calls[argument.toCallId] : null;
            if (name === 'call') {
                place(argument);
            } else if (name === 'disconnect') {
                for (var callId in calls) {
                    if (Object.prototype.hasOwnProperty.call(calls, callId)) {
                        calls[callId].hungUp = true;
                    }
                }
                invoke(METHODS[name]);
            } else if (!argument || !argument.callId) {
                invoke(METHODS[name], argument);
            } else if (!call) {
                later('error', {
                    code: 'unknown-call', message: 'There is no such call', hint: '', callId: argument.callId
                });
            } else if (argument.toCallId && !(other && other.id)) {
                later('error', {
                    code: 'unknown-call', message: 'There is no call to join', hint: '', callId: argument.toCallId
                });
            } else {
                call.hungUp = call.hungUp || name === 'hangup';
                if (call.id) {
                    invoke(METHODS[name], as(argument, other ? { callId: call.id, toCallId: other.id } : { callId: call.id }));
                } else if (call.waiting.length < MOST) {
                    call.waiting.push([name, argument]);
                }
            }
        }

        function place(argument) {
            var call = calls[argument.callId] = known('', argument.callId, 'out', argument.uri);
            var told = as(call.info, {});
            placing++;
            later('state', told);
            if (!invoke('phoneCall', {
                request: argument.callId, uri: argument.uri, video: argument.video,
                headers: hasAny(argument.headers) ? argument.headers : undefined
            })) {
                placing--;
                delete calls[argument.callId];
                later('state', as(told, { state: 'ended', reason: 'The Flash phone failed', cause: 'internal' }));
            }
        }

        /** Not before the page has what its own call returns. */
        function later(type, detail) {
            window.setTimeout(function () { hear(type, detail); }, 0);
        }

        function known(ofAppliance, callId, direction, uri) {
            return {
                id: ofAppliance, waiting: [], hungUp: false, info: {
                    callId: callId, direction: direction, state: 'calling', uri: uri || '', displayName: '',
                    video: false, code: 0, reason: '', cause: '', startedAt: 0
                }
            };
        }

        function take(kind, detail) {
            switch (kind) {
            case 'placed':
                placed(detail.request, detail.callId);
                break;
            case 'refused':
                refused(detail);
                break;
            case 'state':
                onState(detail, 'state');
                break;
            case 'incoming':
                onState(detail, 'incoming');
                break;
            case 'connection':
                if (!detail.connected) {
                    endAll();
                }
                // The appliance keeps no calls for a Flash connection that comes back.
                hear(kind, as(detail, { lost: !detail.connected, resumed: false }));
                break;
            case 'error':
                hear(kind, as(detail, detail.callId ? { callId: names[detail.callId] || detail.callId } : {}));
                break;
            default:
                hear(kind, detail);
            }
        }

        function placed(request, ofAppliance) {
            var call = calls[request];
            var said = early[ofAppliance] || [];
            placing = Math.max(0, placing - 1);
            delete early[ofAppliance];
            if (!placing) {
                early = {};
            }
            if (!call) {
                // It ended here meanwhile, as with a connection that was lost.
                invoke('phoneHangup', { callId: ofAppliance });
                return;
            }
            call.id = ofAppliance;
            names[ofAppliance] = request;
            while (said.length) {
                onState(said.shift(), 'state');
            }
            while (call.waiting.length && calls[request]) {
                send.apply(null, call.waiting.shift());
            }
        }

        function refused(detail) {
            var call = calls[detail.request];
            placing = Math.max(0, placing - 1);
            if (call) {
                hear('error', {
                    code: detail.code, message: detail.message, hint: detail.hint, callId: detail.request
                });
                finish(detail.request, { reason: detail.message, cause: detail.code === 'limit' ? 'limit' : 'internal' });
            }
        }

        function onState(said, kind) {
            var callId = names[said.callId];
            var call = callId && calls[callId];
            if (!call && said.direction === 'in' && said.state !== 'ended') {
                callId = names[said.callId] = said.callId;
                call = calls[callId] = known(said.callId, callId, 'in', said.uri);
            } else if (!call) {
                // The answer to a call and the call's first state may come in any order.
                if (placing) {
                    early[said.callId] = early[said.callId] || [];
                    if (early[said.callId].length < MOST) {
                        early[said.callId].push(said);
                    }
                }
                return;
            } else if (said.state === 'calling' && call.info.state === 'calling') {
                return; // The page knows since it called.
            }
            var more = {
                state: said.state, video: said.video, code: said.code, reason: said.reason,
                uri: said.uri || call.info.uri, displayName: said.displayName || call.info.displayName
            };
            if (said.state === 'ended') {
                finish(callId, as(more, { cause: causeOf(said, call) }));
                return;
            }
            if (said.state === 'active' && !call.info.startedAt) {
                more.startedAt = new Date().getTime();
            }
            call.info = as(call.info, more);
            hear(kind, as(call.info, {}));
        }

        function causeOf(said, call) {
            var answered = !!call.info.startedAt;
            if (said.cause) {
                return said.cause;
            }
            if (call.hungUp) {
                return answered ? 'visitor-hung-up' : 'cancelled';
            }
            return CAUSES[said.code] || (said.code >= 500 ? 'provider-failed' : answered ? 'shop-hung-up' : 'internal');
        }

        /** The last word about a call. */
        function finish(callId, more) {
            var call = calls[callId];
            delete calls[callId];
            delete names[call.id];
            hear('state', as(as(call.info, { state: 'ended' }), more));
        }

        function endAll() {
            var callId;
            for (callId in calls) {
                if (Object.prototype.hasOwnProperty.call(calls, callId)) {
                    finish(callId, calls[callId].hungUp ? { reason: 'Call ended', cause: 'visitor-hung-up' } : {
                        reason: 'The connection to the appliance is lost', cause: 'visitor-lost'
                    });
                }
            }
            early = {};
            names = {};
        }

        function remove() {
            var film = document.getElementById(id);
            delete films[number];
            try {
                film.phoneDisconnect({});
            } catch (gone) {
                // Not loaded yet, or blocked.
            }
            if (film && film.parentNode) {
                film.parentNode.removeChild(film);
            }
        }
    }

    function hasAny(object) {
        var key;
        for (key in object || {}) {
            if (Object.prototype.hasOwnProperty.call(object, key)) {
                return true;
            }
        }
        return false;
    }

    /** A copy with other values for some fields. */
    function as(object, more) {
        var result = {};
        var key;
        for (key in object) {
            if (Object.prototype.hasOwnProperty.call(object, key)) {
                result[key] = object[key];
            }
        }
        for (key in more) {
            if (Object.prototype.hasOwnProperty.call(more, key)) {
                result[key] = more[key];
            }
        }
        return result;
    }
}(window, document));
