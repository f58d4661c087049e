// Settings: how the page behaves, and the account.
import { useState } from 'preact/hooks';
import type { Theme } from '../model/contract';
import { Dialog } from './dialog';
import { Field } from './field';
import { Flag } from './flag';
import { kPasswordRule, passwordProblem } from './lib/account_rules';
import { useView } from './view';

function Appearance() {
  const { settings } = useView().app;
  const themes: readonly { readonly value: Theme; readonly label: string }[] = [{ value: 'system', label: 'As the system' }, { value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }];
  return (
    <section class="section">
      <h3 id="theme-title">Appearance</h3>
      <div class="choices" role="radiogroup" aria-labelledby="theme-title">
        {themes.map(({ value, label }) => (
          <label key={value}><input type="radio" name="theme" value={value} checked={settings.theme.value === value} onChange={() => { settings.theme.value = value; }} />{label}</label>
        ))}
      </div>
      <h3>Reading</h3>
      <label class="switch">
        <input type="checkbox" checked={settings.markRead.value} aria-describedby="mark-read-hint" onChange={(event) => { settings.markRead.value = event.currentTarget.checked; }} />
        <span>Mark messages as read when I see them</span>
        <span class="field-hint" id="mark-read-hint">Off: they stay unread, and their senders do not learn that you saw them.</span>
      </label>
    </section>
  );
}

interface PasswordProblems { readonly old?: string; readonly next?: string; readonly form?: string; readonly done?: true }

function ChangePassword() {
  const view = useView();
  const [old, setOld] = useState('');
  const [next, setNext] = useState('');
  const [problems, setProblems] = useState<PasswordProblems>({});
  const [busy, setBusy] = useState(false);
  const [attempts, setAttempts] = useState(0);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const aboutNext = passwordProblem(next);
    let found: PasswordProblems = { ...(old === '' && { old: 'Enter your password.' }), ...(aboutNext !== null && { next: aboutNext }) };
    if (Object.keys(found).length === 0 && !busy) {
      setBusy(true);
      const outcome = await view.app.changePassword(old, next);
      setBusy(false);
      if (outcome.ok) {
        setOld('');
        setNext('');
        setProblems({ done: true });
        return;
      }
      found = outcome.field === 'new_password' ? { next: outcome.message } : outcome.field === 'password' || outcome.reason === 'UNAUTHENTICATED' || outcome.reason === 'WRONG_PASSWORD' ? { old: outcome.message } : { form: outcome.message };
    }
    setProblems(found);
    setAttempts((count) => count + 1);
  };
  return (
    <section class="section">
      <h3>Change password</h3>
      <form onSubmit={(event) => { void submit(event); }} noValidate>
        {problems.form !== undefined && <div class="notice notice-red" role="alert">{problems.form}</div>}
        <div role="status">{problems.done === true && <div class="notice">Password changed. Your other sessions have ended.</div>}</div>
        <Field label="Current password" name="password" type="password" autocomplete="current-password" value={old} error={problems.old} focusRequest={problems.old !== undefined ? attempts : 0}
          change={(value) => { setOld(value); setProblems({}); }} />
        <Field label="New password" name="new-password" type="password" autocomplete="new-password" hint={kPasswordRule} value={next} error={problems.next}
          focusRequest={problems.old === undefined && problems.next !== undefined ? attempts : 0} change={(value) => { setNext(value); setProblems({}); }} />
        <div class="dialog-actions"><button type="submit" class="button" disabled={busy}>{busy ? 'Changing…' : 'Change password'}</button></div>
      </form>
    </section>
  );
}

function DeleteAccount() {
  const view = useView();
  const [asked, setAsked] = useState(false);
  const [password, setPassword] = useState('');
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const [attempts, setAttempts] = useState(0);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    let found: string | undefined = 'Enter your password.';
    if (password !== '') {
      setBusy(true);
      const outcome = await view.app.deleteAccount(password);
      setBusy(false);
      if (outcome.ok) { view.dialog.value = null; return; }
      found = outcome.message;
    }
    setProblem(found);
    setAttempts((count) => count + 1);
  };
  return (
    <section class="section">
      <h3>Delete account</h3>
      <p>Every message that you received disappears, for you and for its sender. Messages that you sent stay with their recipients. This cannot be undone.</p>
      {!asked ? <div class="dialog-actions"><button type="button" class="button" onClick={() => { setAsked(true); }}>Delete account…</button></div> : (
        <form onSubmit={(event) => { void submit(event); }} noValidate>
          <Field label="Password" name="delete-password" type="password" autocomplete="current-password" value={password} error={problem} focusRequest={attempts + 1} change={(value) => { setPassword(value); setProblem(undefined); }} />
          <div class="dialog-actions">
            <button type="button" class="button" onClick={() => { setAsked(false); setPassword(''); setProblem(undefined); }}>Keep it</button>
            <button type="submit" class="button button-danger" disabled={busy}>{busy ? 'Deleting…' : 'Delete account for good'}</button>
          </div>
        </form>
      )}
    </section>
  );
}

export function Settings() {
  const view = useView();
  const session = view.app.session.value;
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const logOut = async (): Promise<void> => {
    setBusy(true);
    const outcome = await view.app.logOut();
    setBusy(false);
    if (outcome.ok) view.dialog.value = null;
    else setProblem(outcome.message);
  };
  if (session.kind !== 'signed_in') return null;
  return (
    <Dialog title="Settings" close={() => { view.dialog.value = null; }}>
      <div class="dialog-body">
        <section class="section">
          <div class="who">
            <Flag name={session.name} size={40} />
            <span class="who-name">{session.name}</span>
            <button type="button" class="button button-small" disabled={busy} onClick={() => { void logOut(); }}>{busy ? 'Logging out…' : 'Log out'}</button>
          </div>
          {problem !== undefined && <div class="notice notice-red" role="alert">{problem}</div>}
        </section>
        <Appearance />
        <ChangePassword />
        <DeleteAccount />
      </div>
    </Dialog>
  );
}
