import './styles/main.css';
import { render } from 'preact';
import { followLinks } from './browser/router.ts';
import { App } from './layout/app.tsx';

followLinks();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
