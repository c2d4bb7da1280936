// What Python says to a plot that is still being built was thrown away, part by part: of a message whose first parts came
// too early the last one was an error, and the change was lost. Here the parts wait until the plot is there.
(function mend() {
  const kind = (() => {
    try { return Bokeh.Models.get('panel.models.comm_manager.CommManager'); } catch { return null; }
  })();
  if (!kind) { setTimeout(mend, 20); return; }  // the libraries come after this
  const handle = kind.prototype.msg_handler;
  kind.prototype.msg_handler = function (message) {
    const early = this._early ??= [];
    early.push(message);
    if (early.length > 1) return;
    const until = Date.now() + 60000;
    const deliver = () => {
      const there = this.ns.plot_index[this.plot_id] != null || this.plot_id in Bokeh.index;
      if (!there && Date.now() < until) { setTimeout(deliver, 50); return; }
      while (early.length) {
        try { handle.call(this, early[0]); } catch (error) { console.error(error); }
        early.shift();
      }
    };
    deliver();
  };
})();
