    // --- the appliance's origin is where this file came from (a part of rtckit.js, inside its function) ---

    function ownOrigin() {
        var script = document.currentScript;
        var all, i;
        if (!script || !script.src) {
            all = document.getElementsByTagName('script');
            for (i = all.length - 1; i >= 0; i--) {
                if (/\/api\/rtckit\.js(\?|#|$)/.test(all[i].src)) {
                    script = all[i];
                    break;
                }
            }
        }
        var address = script && script.src ? script.src : String(window.location);
        var parts = /^([a-z]+:)?\/\/([^\/?#]+)/i.exec(address);
        if (!parts) {
            // A relative address, as very old browsers report it.
            return window.location.protocol + '//' + window.location.host;
        }
        var scheme = (parts[1] || window.location.protocol).toLowerCase();
        var host = parts[2].toLowerCase().replace(/^.*@/, '');
        // An origin never names its scheme's own port.
        host = host.replace(scheme === 'https:' ? /:443$/ : /:80$/, '');
        return scheme + '//' + host;
    }
