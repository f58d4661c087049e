// One message. Its body is text nodes and links, never HTML.
import { memo } from 'preact/compat';
import type { ShownMessage } from '../model/contract';
import { CopyIcon, DeleteIcon, MarkDrawing } from './icons';
import { linkify } from './lib/linkify';
import { clockLabel, fullLabel } from './lib/times';
import { markMeaning, markName } from './lib/words';

export interface MessageActions {
  readonly copy: (message: ShownMessage) => void;
  readonly askDelete: (message: ShownMessage) => void;
  readonly retry: (key: string) => void;
  readonly discard: (key: string) => void;
}

export interface MessageProps {
  readonly message: ShownMessage;
  readonly sender: string;
  readonly beginsGroup: boolean;
  readonly endsGroup: boolean;
  readonly active: boolean;                      // its tools are in the tab order
  readonly actions: MessageActions;
}

function Body({ text }: { readonly text: string }) {
  return (
    <div class="body" dir="auto">
      {linkify(text).map((piece, index) => piece.kind === 'text' ? piece.text : <a key={index} href={piece.href} title={piece.host} target="_blank" rel="noopener noreferrer">{piece.text}</a>)}
    </div>
  );
}

function Meta({ message }: { readonly message: ShownMessage }) {
  const mark = message.mark;
  return (
    <span class="meta">
      {message.at !== undefined && <time dateTime={message.at.toISOString()} data-tip={fullLabel(message.at)}>{clockLabel(message.at)}</time>}
      {mark !== undefined && (
        <span class={`mark mark-${mark}`} role="img" aria-label={markName(mark)} data-mark={mark}
          data-tip={message.id === undefined ? markMeaning(mark) : `${markMeaning(mark)} Position ${message.id.toLocaleString('en')}.`}>
          <MarkDrawing mark={mark} />
        </span>
      )}
    </span>
  );
}

function Tools({ message, active, actions }: Pick<MessageProps, 'message' | 'active' | 'actions'>) {
  const tab = active ? 0 : -1;
  return (
    <div class="tools">
      <button type="button" class="icon-button" tabIndex={tab} aria-label="Copy text" data-tip="Copy text" onClick={() => { actions.copy(message); }}><CopyIcon /></button>
      {message.id !== undefined && <button type="button" class="icon-button" tabIndex={tab} aria-label="Delete" data-tip="Delete from your view" onClick={() => { actions.askDelete(message); }}><DeleteIcon /></button>}
    </div>
  );
}

// Under what did not go through: why, and what can be done.
function After({ message, actions }: Pick<MessageProps, 'message' | 'actions'>) {
  if (message.mark === 'asking_again') return <div class="after"><span>Outcome unknown, asking again…</span></div>;
  if (message.mark === 'failed') {
    return (
      <div class="after">
        <span>{message.failure ?? 'Not delivered.'}</span>
        {message.canRetry !== false && <button type="button" class="text-button" onClick={() => { actions.retry(message.key); }}>Retry</button>}
        <button type="button" class="text-button" onClick={() => { actions.discard(message.key); }}>Discard</button>
      </div>
    );
  }
  if (message.mark === 'queued') {
    return <div class="after"><span>Queued</span><button type="button" class="text-button" onClick={() => { actions.discard(message.key); }}>Discard</button></div>;
  }
  return null;
}

function MessageView({ message, sender, beginsGroup, endsGroup, active, actions }: MessageProps) {
  const classes = ['message'];
  if (message.mine) classes.push('message-mine');
  if (beginsGroup) classes.push('message-begins');
  if (endsGroup) classes.push('message-ends');
  if (message.mark === 'failed') classes.push('message-failed');
  else if (message.mark === 'queued' || message.mark === 'asking_again') classes.push('message-waiting');
  return (
    <article class={classes.join(' ')} data-key={message.key} tabIndex={active ? 0 : -1}>
      <div class="line">
        <div class="bubble">
          <span class="vh">{sender}: </span>
          <Body text={message.body} />
          <Meta message={message} />
        </div>
        <Tools message={message} active={active} actions={actions} />
      </div>
      <After message={message} actions={actions} />
    </article>
  );
}

// 300 of them stand in a list that changes often: only those that changed are drawn again.
export const Message = memo(MessageView);
