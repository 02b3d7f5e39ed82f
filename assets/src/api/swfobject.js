/*
 * The members of swfobject that pages of 2011 call, for pages that include /api/swfobject.js beside
 * /api/rtckit.js. Ruffle is no Flash Player here: it cannot place calls.
 */
(function (window, document) {
    'use strict';

    if (window.swfobject) {
        return;
    }

    var TYPE = 'application/x-shockwave-flash';
    var navigator = window.navigator;
    var agent = String(navigator.userAgent || '').toLowerCase();
    var platform = String(navigator.platform || agent).toLowerCase();
    var version = detect();
    var ready = document.readyState === 'complete';
    var waiting = [];

    /** [major, minor, release], zeros where there is none. */
    function detect() {
        var plugins = navigator.plugins;
        var plugin = plugins && plugins['Shockwave Flash'];
        var type = navigator.mimeTypes && navigator.mimeTypes[TYPE];
        var found, control;
        if (window.RufflePlayer || (plugin && plugin.filename === 'ruffle.js')) {
            return [0, 0, 0];
        }
        if (plugin && plugin.description && (!type || type.enabledPlugin)) {
            // "Shockwave Flash 11.2 r202"
            found = /(\d+)\.(\d+)(?:\s*[a-z]+(\d+))?/i.exec(plugin.description);
        } else if (window.ActiveXObject) {
            try {
                control = new window.ActiveXObject('ShockwaveFlash.ShockwaveFlash');
                // "WIN 11,2,202,233"
                found = /(\d+),(\d+),(\d+)/.exec(control.GetVariable('$version'));
            } catch (absent) {
                found = null;
            }
        }
        return found ? [Number(found[1]), Number(found[2]), Number(found[3] || 0)] : [0, 0, 0];
    }

    function whenReady(then) {
        if (ready) {
            then();
        } else {
            waiting.push(then);
        }
    }

    function nowReady() {
        var then;
        ready = true;
        while ((then = waiting.shift())) {
            then();
        }
    }

    function listen(target, event, then) {
        if (target.addEventListener) {
            target.addEventListener(event, then, false);
        } else if (target.attachEvent) {
            target.attachEvent('on' + event, then);
        }
    }

    function hasFlashPlayerVersion(wanted) {
        var parts = String(wanted).split('.');
        var i, want;
        for (i = 0; i < 3; i++) {
            want = parseInt(parts[i], 10) || 0;
            if (version[i] !== want) {
                return version[i] > want;
            }
        }
        return version[0] > 0;
    }

    function own(object, key) {
        return Object.prototype.hasOwnProperty.call(object, key);
    }

    function quoted(text) {
        return '"' + String(text).replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;') + '"';
    }

    /** As text: Internet Explorer makes no working film of an element that is put together. */
    function forExplorer(attributes, params) {
        var html = '<object classid="clsid:D27CDB6E-AE6D-11cf-96B8-444553540000"';
        var key;
        for (key in attributes) {
            if (own(attributes, key) && key !== 'data' && key !== 'classid') {
                html += ' ' + (key === 'styleclass' ? 'class' : key) + '=' + quoted(attributes[key]);
            }
        }
        html += '>';
        for (key in params) {
            if (own(params, key)) {
                html += '<param name=' + quoted(key) + ' value=' + quoted(params[key]) + '>';
            }
        }
        return html + '</object>';
    }

    /** Puts an object element in the place of another. Whether there is a player is not asked. */
    function createSWF(attributes, params, id) {
        var old = document.getElementById(id);
        var key, param;
        if (!old) {
            return null;
        }
        if (window.ActiveXObject) {
            attributes = copy(attributes);
            params = copy(params);
            attributes.id = attributes.id || id;
            params.movie = params.movie || attributes.data;
            old.outerHTML = forExplorer(attributes, params);
            return document.getElementById(attributes.id);
        }
        var object = document.createElement('object');
        object.setAttribute('type', TYPE);
        for (key in attributes) {
            if (own(attributes, key)) {
                object.setAttribute(key === 'styleclass' ? 'class' : key, attributes[key]);
            }
        }
        if (!attributes.id) {
            object.setAttribute('id', id);
        }
        for (key in params) {
            if (own(params, key)) {
                param = document.createElement('param');
                param.setAttribute('name', key);
                param.setAttribute('value', params[key]);
                object.appendChild(param);
            }
        }
        old.parentNode.replaceChild(object, old);
        return object;
    }

    function copy(from) {
        var to = {};
        var key;
        for (key in from || {}) {
            if (own(from, key)) {
                to[key] = from[key];
            }
        }
        return to;
    }

    function embedSWF(url, id, width, height, wanted, installer, variables, params, attributes, done) {
        whenReady(function () {
            var result = { success: false, id: id };
            var all = copy(params);
            var marks = copy(attributes);
            var pairs = [];
            var key;
            if (hasFlashPlayerVersion(wanted)) {
                for (key in variables || {}) {
                    if (own(variables, key)) {
                        pairs.push(key + '=' + variables[key]);
                    }
                }
                if (pairs.length) {
                    all.flashvars = (all.flashvars ? all.flashvars + '&' : '') + pairs.join('&');
                }
                all.movie = url;
                marks.data = url;
                marks.width = String(width);
                marks.height = String(height);
                result.ref = createSWF(marks, all, id);
                result.success = !!result.ref;
            }
            if (typeof done === 'function') {
                done(result);
            }
        });
    }

    function getObjectById(id) {
        var element = document.getElementById(id);
        if (element && element.nodeName.toUpperCase() === 'OBJECT') {
            return element;
        }
        return null;
    }

    function removeSWF(id) {
        var object = getObjectById(id);
        if (object && object.parentNode) {
            object.parentNode.removeChild(object);
        }
    }

    function getQueryParamValue(name) {
        var pairs = String(window.location.search || '').replace(/^\?/, '').split('&');
        var i, at;
        for (i = 0; i < pairs.length; i++) {
            at = pairs[i].indexOf('=');
            if (at > 0 && pairs[i].slice(0, at) === name) {
                return pairs[i].slice(at + 1);
            }
        }
        return '';
    }

    function nothing() {}

    listen(document, 'DOMContentLoaded', nowReady);
    listen(window, 'load', nowReady);

    window.swfobject = {
        embedSWF: embedSWF,
        createSWF: createSWF,
        removeSWF: removeSWF,
        getObjectById: getObjectById,
        hasFlashPlayerVersion: hasFlashPlayerVersion,
        getFlashPlayerVersion: function () {
            return { major: version[0], minor: version[1], release: version[2] };
        },
        addDomLoadEvent: whenReady,
        addLoadEvent: function (then) { listen(window, 'load', then); },
        getQueryParamValue: getQueryParamValue,
        // Alternative content stays visible and Adobe's installer is gone: nothing to do for these.
        registerObject: nothing,
        switchOffAutoHideShow: nothing,
        showExpressInstall: nothing,
        createCSS: nothing,
        ua: {
            w3: !!(document.getElementById && document.createElement),
            pv: version,
            wk: /webkit\/(\d+(?:\.\d+)?)/.test(agent) ? parseFloat(RegExp.$1) : false,
            ie: /msie|trident/.test(agent),
            win: /win/.test(platform),
            mac: /mac/.test(platform)
        }
    };
}(window, document));
