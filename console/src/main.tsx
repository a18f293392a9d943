import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import { render } from 'preact';
import { App } from './shell/app.tsx';
import { listen } from './shell/router.ts';

listen();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
