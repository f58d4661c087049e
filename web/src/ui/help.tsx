// `?`: the keys, and what the marks say.
import type { Mark } from '../model/contract';
import { Dialog } from './dialog';
import { MarkDrawing } from './icons';
import { markMeaning } from './lib/words';
import { useView } from './view';

const keys: readonly { readonly keys: readonly string[]; readonly does: string }[] = [
  { keys: ['Ctrl', 'K'], does: 'Go to a conversation or a person' },
  { keys: ['Alt', 'Shift', '↑'], does: 'Unread conversation before this one' },
  { keys: ['Alt', 'Shift', '↓'], does: 'Next unread conversation' },
  { keys: ['Enter'], does: 'Send' },
  { keys: ['Shift', 'Enter'], does: 'New line' },
  { keys: ['↑', '↓'], does: 'Walk through the messages, when the log has the focus; Tab reaches their tools' },
  { keys: ['Esc'], does: 'Close what is open; else go to the newest message and the composer' },
  { keys: ['?'], does: 'This help' },
];
const marks: readonly Mark[] = ['queued', 'sending', 'asking_again', 'committed', 'read', 'failed'];

export function Help() {
  const view = useView();
  return (
    <Dialog title="Help" close={() => { view.dialog.value = null; }}>
      <div class="dialog-body" tabIndex={0} role="group" aria-label="Help">
        <section class="section">
          <h3>Keys</h3>
          <dl class="keys">
            {keys.map((entry) => (
              <>
                <dt>{entry.keys.map((key) => <kbd class="kbd" key={key}>{key}</kbd>)}</dt>
                <dd>{entry.does}</dd>
              </>
            ))}
          </dl>
        </section>
        <section class="section">
          <h3>Marks on your messages</h3>
          <dl class="legend">
            {marks.map((mark) => (
              <>
                <dt><span class={`mark mark-${mark}`}><MarkDrawing mark={mark} /></span></dt>
                <dd>{markMeaning(mark)}</dd>
              </>
            ))}
          </dl>
        </section>
      </div>
    </Dialog>
  );
}
