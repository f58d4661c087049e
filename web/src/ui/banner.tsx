// The line on top that tells the truth about the connection. It is a live region that is always there, so that what it says is announced.
import { useEffect, useState } from 'preact/hooks';
import { WaitIcon, WarningIcon } from './icons';
import { bannerText } from './lib/words';
import { useView } from './view';

// A node that is replaced within a blink is nobody's trouble: what shows and goes at once only unsettles.
const kReconnectingPatience_ms = 400;

export function Banner() {
  const { app } = useView();
  const connection = app.connection.value;
  const queued = app.queuedCount.value;
  const [now, setNow] = useState(Date.now());
  const dueMs = connection.kind === 'reconnecting' ? connection.sinceMs + kReconnectingPatience_ms - now : 0;
  useEffect(() => {
    if (connection.kind !== 'reconnecting') return;
    const timer = setTimeout(() => { setNow(Date.now()); }, Math.max(0, connection.sinceMs + kReconnectingPatience_ms - Date.now()));
    return () => { clearTimeout(timer); };
  }, [connection.kind, connection.kind === 'reconnecting' ? connection.sinceMs : 0]);
  const text = dueMs > 0 ? null : bannerText(connection, queued);
  return (
    <div class="banner-slot" role="status">
      {text !== null && (
        <div class={`banner banner-${text.tone}`} data-connection={connection.kind}>
          {text.tone === 'info' ? <WaitIcon /> : <WarningIcon />}
          <span><strong>{text.headline}</strong> {text.detail}</span>
        </div>
      )}
    </div>
  );
}
