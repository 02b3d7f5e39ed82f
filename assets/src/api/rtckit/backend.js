    // --- what this browser can do (a part of rtckit.js, inside its function) ---

    function hasWebRtc() {
        return !!(window.RTCPeerConnection && window.navigator.mediaDevices
            && window.navigator.mediaDevices.getUserMedia && window.WebSocket && window.WebAssembly
            && window.postMessage && window.addEventListener);
    }

    /** Ruffle shows Flash films but cannot place calls; it answers to Flash's name. */
    function hasRuffle() {
        var tags = ['ruffle-object', 'ruffle-embed', 'ruffle-player'];
        var plugin = flashPlugin();
        var i;
        if (window.RufflePlayer || (plugin && plugin.filename === 'ruffle.js')) {
            return true;
        }
        for (i = 0; i < tags.length; i++) {
            if (document.getElementsByTagName(tags[i]).length) {
                return true;
            }
        }
        return false;
    }

    function flashPlugin() {
        var plugins = window.navigator.plugins;
        return (plugins && plugins['Shockwave Flash']) || null;
    }

    function hasFlash() {
        var types = window.navigator.mimeTypes;
        var type = types && types['application/x-shockwave-flash'];
        var plugin = flashPlugin();
        if (hasRuffle()) {
            return false;
        }
        if (plugin) {
            // A plug-in that the visitor switched off is still listed.
            return !type || !!type.enabledPlugin;
        }
        if (window.ActiveXObject) {
            try {
                return !!new window.ActiveXObject('ShockwaveFlash.ShockwaveFlash');
            } catch (absent) {
                return false;
            }
        }
        return false;
    }

    /** 'webrtc', 'flash', or null with the page told why. */
    function choose(wanted) {
        if (wanted !== 'flash' && hasWebRtc()) {
            return 'webrtc';
        }
        // Ruffle cannot place calls, but somebody who asks for Flash may want to see the film.
        if (wanted === 'flash' ? hasFlash() || hasRuffle() : wanted !== 'webrtc' && hasFlash()) {
            return 'flash';
        }
        if (wanted === 'flash') {
            error('flash-unavailable', 'Flash is not installed',
                'Leave the backend to be chosen by itself, or use a browser with Flash Player');
        } else if (window.RTCPeerConnection && window.isSecureContext === false) {
            error('insecure', 'The microphone works on secure (https) pages only',
                'Open this page over https');
        } else {
            error('unsupported-browser', 'This browser cannot place calls',
                'Use a current version of Chrome, Edge, Firefox or Safari');
        }
        return null;
    }
