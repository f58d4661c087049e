// Before anyone is signed in: log in, or create an account.
import { useState } from 'preact/hooks';
import type { Outcome } from '../model/contract';
import { Banner } from './banner';
import { Field } from './field';
import { Logo } from './icons';
import { kNameRule, kPasswordRule, nameProblem, passwordProblem } from './lib/account_rules';
import { useView } from './view';

interface Problems { readonly name?: string; readonly password?: string; readonly form?: string }

function problemsOf(outcome: Extract<Outcome, { ok: false }>): Problems {
  if (outcome.reason === 'ALREADY_EXISTS' || outcome.field === 'name') return { name: outcome.message };
  if (outcome.field === 'password') return { password: outcome.message };
  return { form: outcome.message };
}

function DoorForm({ creating, changeMode }: { readonly creating: boolean; readonly changeMode: () => void }) {
  const { app } = useView();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [problems, setProblems] = useState<Problems>({});
  const [busy, setBusy] = useState(false);
  const [attempts, setAttempts] = useState(0);

  const checked = (): Problems => {
    const aboutName = nameProblem(name);
    const aboutPassword = creating ? passwordProblem(password) : password === '' ? 'Enter your password.' : null;
    return { ...(aboutName !== null && { name: aboutName }), ...(aboutPassword !== null && { password: aboutPassword }) };
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    let found = checked();
    if (Object.keys(found).length === 0) {
      setBusy(true);
      const outcome = await (creating ? app.register(name.toLowerCase(), password) : app.logIn(name.toLowerCase(), password));
      setBusy(false);
      if (outcome.ok) return;
      found = problemsOf(outcome);
    }
    setProblems(found);
    setAttempts((count) => count + 1);
  };
  return (
    <form onSubmit={(event) => { void submit(event); }} noValidate>
      <h1>{creating ? 'Create an account' : 'Log in'}</h1>
      {problems.form !== undefined && <div class="notice notice-red" role="alert">{problems.form}</div>}
      <Field label="Name" name="username" value={name} autocomplete="username" error={problems.name} {...(creating && { hint: kNameRule })}
        focusRequest={problems.name !== undefined ? attempts : 0} change={(value) => { setName(value); setProblems({}); }} />
      <Field label="Password" name="password" type="password" value={password} autocomplete={creating ? 'new-password' : 'current-password'} error={problems.password}
        {...(creating && { hint: kPasswordRule })} focusRequest={problems.name === undefined && problems.password !== undefined ? attempts : 0}
        change={(value) => { setPassword(value); setProblems({}); }} />
      <button type="submit" class="button button-main" disabled={busy}>{busy ? (creating ? 'Creating…' : 'Logging in…') : creating ? 'Create account' : 'Log in'}</button>
      <p class="door-switch">
        {creating ? 'Have an account? ' : 'New here? '}
        <button type="button" class="text-button" onClick={changeMode}>{creating ? 'Log in' : 'Create an account'}</button>
      </p>
    </form>
  );
}

// Five nodes, three of which have stored the message: what "committed" means, in one drawing.
function QuorumFigure() {
  const nodes = [{ x: 150, y: 40 }, { x: 262, y: 60 }, { x: 358, y: 112 }, { x: 262, y: 164 }, { x: 150, y: 184 }];
  return (
    <svg class="door-figure" viewBox="0 0 400 224" role="img" aria-label="A message goes to five nodes. Three have stored it: it is committed, although two are down.">
      {nodes.map((node, index) => <path key={index} class={index < 3 ? 'wire wire-stored' : 'wire'} stroke-dasharray={index < 3 ? 'none' : '3 5'} d={`M34 112 ${String(node.x)} ${String(node.y)}`} />)}
      <circle cx="34" cy="112" r="7" fill="#e9eefa" />
      {nodes.map((node, index) => (
        <g key={index}>
          <circle class={index < 3 ? 'ring-stored' : 'ring'} cx={node.x} cy={node.y} r="15" stroke-dasharray={index < 3 ? 'none' : '3 4'} />
          {index < 3 && <path class="tick" d={`m${String(node.x - 5)} ${String(node.y + 0.5)} 3.5 3.5 6.5-7.5`} />}
        </g>
      ))}
    </svg>
  );
}

export function Door() {
  const { app } = useView();
  const session = app.session.value;
  const [creating, setCreating] = useState(false);
  return (
    <div class="door">
      <section class="door-about" aria-label="About Parley">
        <h2>Chat that survives.</h2>
        <QuorumFigure />
        <p>A message counts as sent when a majority of the machines has it on disk. Any minority of them may crash, and the conversation goes on.</p>
      </section>
      <main class="door-form">
        <div class="door-card">
          <div class="door-brand"><Logo size={30} />Parley</div>
          {session.kind === 'signed_out' && session.why !== undefined && <div class="notice" role="status">{session.why}</div>}
          <Banner />
          <DoorForm key={creating ? 'create' : 'log-in'} creating={creating} changeMode={() => { setCreating(!creating); }} />
        </div>
      </main>
    </div>
  );
}
