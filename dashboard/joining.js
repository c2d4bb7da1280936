// A React component reads its properties when it draws itself, and begins to listen to them a moment later. What
// changed in between stayed unseen until it changed again. Here it looks once more as soon as it listens.
//
// And a button that explains itself had the explanation as its name, in place of what is written on it, for those who
// hear the page or speak to it. Here it has both.
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
        'const follow = (look) => { target.on_child_render(child, look); look() }; follow(() => {')
      .replace('React.createElement(this.props.view.render_fn,',
        'React.createElement(this.props.view.model.class_name === "Button" ? Named : this.props.view.render_fn,')
      .replace('const props = {view,', `function Named(props) {
        const [label] = props.model.useState("label"), [description] = props.model.useState("description")
        const named = label && description ? { "aria-label": label, "aria-description": description } : {}
        return React.createElement(props.view.render_fn, { ...props, ...named })
      }
      $&`);
  };
})();
