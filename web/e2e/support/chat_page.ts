// The page as a person uses it: everything is found by its role and name.
import { expect, type Locator, type Page } from '@playwright/test';

import { kPassword } from './api';

// As the marks are called on the page.
export type MarkName = 'Queued' | 'Sending' | 'Outcome unknown, asking again' | 'Committed' | 'Read' | 'Failed';

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

export class ChatPage {
  constructor(
    readonly page: Page,
    readonly origin: string,
  ) {}

  // ---- the door ----

  async visit(fragment = ''): Promise<void> {
    await this.page.goto(`${this.origin}/${fragment}`);
  }

  async fillDoor(name: string, password: string): Promise<void> {
    await this.page.getByLabel('Name', { exact: true }).fill(name);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
  }

  async register(name: string, password = kPassword): Promise<void> {
    await this.page.getByRole('button', { name: 'Create an account' }).click();
    await this.fillDoor(name, password);
    await this.page.getByRole('button', { name: 'Create account', exact: true }).click();
  }

  async logIn(name: string, password = kPassword): Promise<void> {
    await this.fillDoor(name, password);
    await this.page.getByRole('button', { name: 'Log in', exact: true }).click();
  }

  get door(): Locator {
    return this.page.getByRole('heading', { name: 'Log in' });
  }

  // ---- the list ----

  get list(): Locator {
    return this.page.getByRole('navigation', { name: 'Conversations' });
  }

  row(peer: string): Locator {
    return this.list.getByRole('link', { name: new RegExp(`^${escaped(peer)}([, ]|$)`) });
  }

  // What the list says of a conversation: its last line ("You: " before one's own), and how many are unread.
  async expectRow(peer: string, line: string, unread = 0): Promise<void> {
    const count = unread === 0 ? '' : ` ${String(unread)} unread`;
    await expect(this.row(peer)).toHaveAccessibleName(new RegExp(`^${escaped(peer)}( \\d\\d:\\d\\d)? ${escaped(line)}${count}$`));
  }

  // By the palette: Ctrl-K, a name, Enter.
  async open(peer: string): Promise<void> {
    await this.page.keyboard.press('Control+k');
    await this.palette.getByRole('combobox').fill(peer);
    const option = this.palette.getByRole('option').filter({ has: this.page.getByText(peer, { exact: true }) });
    await option.first().click();
    await expect(this.log(peer)).toBeVisible();
  }

  get palette(): Locator {
    return this.page.getByRole('dialog', { name: 'Find people and conversations' });
  }

  async openSettings(): Promise<Locator> {
    await this.page.getByRole('button', { name: 'Settings' }).click();
    return this.page.getByRole('dialog', { name: 'Settings' });
  }

  // "Live on 127.0.0.1:8080. Show the cluster"
  get pulse(): Locator {
    return this.page.getByRole('button', { name: /Show the cluster$/ });
  }

  async expectLive(): Promise<void> {
    await expect(this.pulse).toHaveAccessibleName(/^Live on /);
  }

  // ---- a conversation ----

  log(peer?: string): Locator {
    return peer === undefined ? this.page.getByRole('log') : this.page.getByRole('log', { name: `Messages with ${peer}` });
  }

  get composer(): Locator {
    return this.page.getByRole('textbox', { name: /^Message to / });
  }

  async send(body: string): Promise<void> {
    await this.composer.fill(body);
    await this.composer.press('Enter');
    await expect(this.composer).toHaveValue('');
  }

  get messages(): Locator {
    return this.log().getByRole('article');
  }

  // The message with exactly this text.
  message(body: string): Locator {
    return this.messages.filter({ has: this.page.getByText(body, { exact: true }) });
  }

  // How far below the upper edge of the log it stands: a banner moves both.
  async placeOf(body: string): Promise<number> {
    return this.message(body).evaluate((message) => message.getBoundingClientRect().top - message.closest('[role=log]')!.getBoundingClientRect().top);
  }

  // Of a message of one's own.
  mark(body: string): Locator {
    return this.message(body).locator('[data-mark]');
  }

  async expectMark(body: string, ...names: readonly MarkName[]): Promise<void> {
    await expect(this.mark(body)).toHaveAccessibleName(new RegExp(`^(${names.map(escaped).join('|')})$`));
  }

  async expectCommitted(body: string): Promise<void> {
    await this.expectMark(body, 'Committed', 'Read');
  }

  // Every text of the open conversation as it is shown, from top to bottom.
  async bodies(): Promise<string[]> {
    return this.messages.locator('.body').allTextContents();
  }

  async expectBodies(bodies: readonly string[]): Promise<void> {
    await expect(this.messages.locator('.body')).toHaveText([...bodies]);
  }

  // ---- around ----

  get banner(): Locator {
    return this.page.locator('[data-connection]');
  }

  // Shows itself in nothing but this: a page that was loaded anew has lost it.
  async brand(): Promise<void> {
    await this.page.evaluate(() => { document.documentElement.dataset['brand'] = 'kept'; });
  }

  async expectNoReload(): Promise<void> {
    await expect(this.page.locator('html')).toHaveAttribute('data-brand', 'kept');
  }
}
