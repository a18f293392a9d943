import './styles/main.css';
import { render } from 'preact';
import { listen } from './browser/router.ts';
import { App } from './layout/app.tsx';

listen();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
