// Where the page begins.
import { render } from 'preact';

import { createApp } from './model/app';
import { registerServiceWorker } from './model/service_worker';
import { Page } from './ui/page';

const root = document.getElementById('app');
if (root) render(<Page app={createApp()} />, root);
registerServiceWorker();
