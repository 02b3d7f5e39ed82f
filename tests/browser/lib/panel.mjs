// The call panel as a visitor uses it, on a page or frame of either driver.

import { until } from './wait.mjs';

export class Panel {
  constructor(page) {
    this.page = page;
  }

  /** Waits until a call can be made, and writes down every word that the panel says from then on. */
  async ready(options) {
    await until('the Call button can be pressed', () => this.page.evaluate(() => {
      const button = document.getElementById('call');
      if (!button || button.disabled || button.hidden) return false;
      if (!window.saidWords) {
        window.saidWords = [];
        const status = document.getElementById('status');
        new MutationObserver(() => {
          const text = status.textContent.trim();
          if (text && window.saidWords.at(-1) !== text) window.saidWords.push(text);
        }).observe(status, { childList: true, characterData: true, subtree: true });
      }
      return true;
    }), options);
    return this;
  }

  /** Everything that the panel said since ready(). */
  said() {
    return this.page.evaluate(() => window.saidWords);
  }

  press(id) {
    return this.page.click(`#${id}`);
  }

  state() {
    return this.page.evaluate(() => document.getElementById('panel').dataset.state);
  }

  status() {
    return this.page.evaluate(() => document.getElementById('status').textContent.trim());
  }

  timer() {
    return this.page.evaluate(() => document.getElementById('timer').textContent.trim());
  }

  /** What the panel complains about, or null: `{ message, hint, popup }`. */
  problem() {
    return this.page.evaluate(() => {
      const problem = document.getElementById('problem');
      if (problem.hidden) return null;
      return {
        message: document.getElementById('problem-message').textContent,
        hint: document.getElementById('problem-hint').textContent,
        popup: !document.getElementById('popup').hidden,
      };
    });
  }

  async reaches(state, options) {
    await until(`the panel is ${state}`, async () => {
      const now = await this.state();
      if (now === state) return true;
      throw new Error(`${now}: ${await this.status()} ${JSON.stringify(await this.problem())}`);
    }, options);
  }

  async complains(pattern, options) {
    return until(`the panel complains ${pattern}`, async () => {
      const problem = await this.problem();
      if (problem && pattern.test(`${problem.message} ${problem.hint}`)) return problem;
      throw new Error(`${JSON.stringify(problem)}, ${await this.status()}`);
    }, options);
  }
}
