// A React component reads its properties when it draws itself, and begins to listen to them a moment later. What
// changed in between stayed unseen until it changed again. Here it looks once more as soon as it listens.
(function mend() {
  const kind = (() => {
    try { return Bokeh.Models.get('panel.models.esm.ReactComponent'); } catch { return null; }
  })();
  if (!kind) { setTimeout(mend, 20); return; }  // in a notebook the libraries may come after this
  const code = kind.prototype._render_code;
  kind.prototype._render_code = function () {
    return code.call(this)
      .replace('react_proxy.on(prop, cb, true)',
        '$&; if (!target.model.events.includes(resolvedProp) && targetModel.attributes[resolvedProp] !== value) cb()')
      .replace('target.on_child_render(child, () => {',
        'const follow = (look) => { target.on_child_render(child, look); look() }; follow(() => {');
  };
})();
