// A page as it was written in 2011 for the original service: two script tags, the six members, and
// nothing else. Only the host is ours.

export const page2011 = ({ host, registrar, username, password, uri }) => `<html>
<head>
<title>Call me</title>
<script type="text/javascript" src="${host}/api/swfobject.js"></script>
<script type="text/javascript" src="${host}/api/rtckit.js"></script>
<script type="text/javascript">
  RTCKit.webPhone.onConnectStateChanged = function (connectInfo) {
    if (connectInfo.connected) {
      RTCKit.webPhone.register({ registrar: '${registrar}', username: '${username}', password: '${password}' });
    }
  };
  RTCKit.webPhone.onRegStateChanged = function (regInfo) {
    document.getElementById('state').innerHTML = regInfo.registered ? 'registered' : 'not registered';
    if (regInfo.registered) {
      RTCKit.webPhone.call({ uri: '${uri}' });
    }
  };
  function start() {
    RTCKit.webPhone.embed({ container: 'webPhone' });
    RTCKit.webPhone.connect();
  }
</script>
</head>
<body onload="start()">
<div id="webPhone"></div>
<p id="state"></p>
</body>
</html>`;

/** The address of the frame that the script made, once it is there. */
export const frameOf = (page) => page.frames().find((frame) => new URL(frame.url() || 'about:blank').pathname === '/webphone');
