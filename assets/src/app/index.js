// The first page: what this appliance is, its buttons as live previews, the snippet to copy.
const place = document.getElementById('buttons');

function copyOf(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

function snippetOf(site, name) {
  return `<iframe src="${site.publicUrl}/b/${name}" allow="microphone; camera; autoplay" title="Call us" style="border:0;width:320px;height:200px"></iframe>`;
}

function showButton(site, button) {
  const shop = copyOf('shop');
  const frame = document.createElement('iframe');
  frame.src = `/b/${encodeURIComponent(button.name)}`;
  frame.title = `Call ${button.name}`;
  frame.allow = 'microphone; camera; autoplay';
  shop.querySelector('.preview').append(frame);
  const snippet = copyOf('snippet');
  const text = snippetOf(site, button.name);
  snippet.querySelector('code').textContent = text;
  const said = snippet.querySelector('[role=status]');
  snippet.querySelector('button').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(snippet.querySelector('code'));
      said.textContent = 'Selected: press Ctrl+C';
    }
  });
  const origins = button.origins.length ? button.origins.join(', ') : 'none';
  snippet.querySelector('.off').textContent = `Button "${button.name}" may be embedded by: ${origins}.`;
  place.append(shop, snippet);
}

async function start() {
  const answer = await fetch('/site.json');
  if (!answer.ok) return; // Not the operator: the two sentences of the page are all there is to see.
  const site = await answer.json();
  if (site.demo) {
    document.getElementById('headline').textContent = 'Press Call: a real SIP phone answers';
    document.getElementById('lead').textContent = 'It rings for a second, greets you, then sends back what you say and names the keys that you press. Phone and page are in the same program.';
  }
  place.className = 'page-buttons';
  for (const button of site.buttons) showButton(site, button);
  document.getElementById('next').hidden = false;
  document.getElementById('off').textContent = `click2call ${site.version}. Not in this version: HTTPS certificates, video, the dashboard.`;
}

start();
