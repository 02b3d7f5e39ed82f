// The test bench (`/demo`) as a person with an own SIP account uses it, on a page of either driver.

import { until } from './wait.mjs';

export class Bench {
  constructor(page) {
    this.page = page;
  }

  /** Connects and registers. */
  async registered({ registrar, username, password = 'secret' }) {
    const { page } = this;
    // Its script listens only once it has run.
    await until('the bench has its choices', () => page.evaluate(() => document.querySelectorAll('#registrars option').length > 0));
    await page.click('#connect-button');
    await until('the bench is connected', async () => (await this.said('connection')) === 'Connected');
    await page.evaluate((fields) => {
      for (const [id, value] of Object.entries(fields)) document.getElementById(id).value = value;
    }, { registrar, username, password });
    await page.click('#register .primary');
    await until('the bench is registered', async () => {
      const words = await this.said('registration');
      if (words === 'Registered') return true;
      throw new Error(words);
    });
    this.frame = await (await page.waitForSelector('#phone iframe')).contentFrame();
    return this;
  }

  said(id) {
    return this.page.evaluate((of) => document.getElementById(of).textContent.trim(), id);
  }

  /** Every call that is shown: name, state, and the buttons that can be seen. */
  calls() {
    return this.page.evaluate(() => [...document.querySelectorAll('#calls .call')].map((call) => ({
      name: call.querySelector('strong').textContent,
      state: call.dataset.state,
      said: call.querySelector('.said').textContent,
      buttons: [...call.querySelectorAll('[data-do]')].filter((button) => !button.hidden).map(({ dataset }) => dataset.do),
    })));
  }

  /** Waits until the call with `name` is in a state; null for gone. */
  async reaches(name, state) {
    await until(`the call with ${name} is ${state ?? 'gone'}`, async () => {
      const calls = await this.calls();
      const found = calls.find((call) => call.name === name);
      if ((found?.state ?? null) === state) return true;
      throw new Error(`${JSON.stringify(calls)} ${await this.said('state')}`);
    });
  }

  /** Presses a button of the call with `name`. */
  press(name, what) {
    return this.page.evaluate(([of, which]) => {
      const calls = [...document.querySelectorAll('#calls .call')];
      calls.find((call) => call.querySelector('strong').textContent === of).querySelector(which).click();
    }, [name, `[data-do="${what}"]`]);
  }

  /** What has the focus: the button's job, its digit, or the element's id. */
  focus() {
    return this.page.evaluate(() => {
      const { dataset, id } = document.activeElement;
      return dataset.do ?? dataset.digit ?? id;
    });
  }

  /** Goes on with the Tab key until that has the focus. */
  async tabTo(what) {
    for (let step = 0; step < 40; step += 1) {
      if ((await this.focus()) === what) return;
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`${what} cannot be reached by the keyboard`);
  }
}
