"""The picture of a script on the page: a Bokeh document that the browser makes alone, beside that of the page."""

from __future__ import annotations

import param
from panel.custom import JSComponent


class Drawn(JSComponent):
    """A Bokeh document in JSON, drawn by the browser.

    The server only sends text: it never waits for a picture, however many parts that has, and nothing in it can be
    taken for a part of the page. What a script did not colour itself takes the colours of the page.
    """

    picture = param.String(default="", doc="The document, as JSON; empty for none.")
    figure_name = param.String(default="", doc="Name that its first root gets.")
    dark = param.Boolean(default=False, doc="Whether the page is dark.")

    _esm = """
    const INK = 'ink', FAINT = 'faint', PAPER = 'paper';
    const COLOURS = [
      [/Axis$/, { axis_label_text_color: INK, major_label_text_color: INK, axis_line_color: FAINT,
                  major_tick_line_color: FAINT, minor_tick_line_color: FAINT }],
      [/Grid$/, { grid_line_color: FAINT, grid_line_alpha: 0.3 }],
      [/Title$/, { text_color: INK }],
      [/Legend$/, { label_text_color: INK, title_text_color: INK, background_fill_color: PAPER,
                    background_fill_alpha: 0.8, border_line_color: FAINT }],
      [/ColorBar$/, { title_text_color: INK, major_label_text_color: INK, background_fill_color: PAPER }],
      [/(Figure|Plot)$/, { background_fill_color: PAPER, border_fill_color: PAPER, outline_line_color: FAINT }],
    ];
    function uncoloured(doc) {
      const found = [];
      for (const part of doc.all_models)
        for (const [type, looks] of COLOURS)
          if (type.test(part.type))
            for (const [name, look] of Object.entries(looks)) {
              const property = part.properties[name];
              if (property && !property.dirty && property.get_value() !== null) found.push([part, name, look]);
            }
      return found;
    }
    function colour(parts, dark) {
      const hues = dark ? { ink: '#dedede', faint: '#8a8a8a', paper: '#121212' }
                        : { ink: '#303030', faint: '#8a8a8a', paper: '#ffffff' };
      for (const [part, name, look] of parts) part.setv({ [name]: hues[look] ?? look });
    }
    export function render({ model, el }) {
      const place = document.createElement('div');
      place.style.overflow = 'auto';
      el.append(place);
      let doc = null, views = null, parts = [], last = Promise.resolve();
      const clear = () => {
        views?.clear();
        if (doc) Bokeh.documents.splice(Bokeh.documents.indexOf(doc), 1);
        [doc, views, parts] = [null, null, []];
        place.replaceChildren();
      };
      const draw = async () => {
        clear();
        if (!model.picture) return;
        doc = Bokeh.documents[0].constructor.from_json(JSON.parse(model.picture));
        for (const root of doc.roots()) root.name = model.figure_name;
        parts = uncoloured(doc);
        colour(parts, model.dark);
        const targets = doc.roots().map(() => place.appendChild(document.createElement('div')));
        views = await Bokeh.embed.add_document_standalone(doc, place, targets);
      };
      const then = (call) => { last = last.then(call).catch((error) => console.error(error)); };
      model.on('picture', () => then(draw));
      model.on('dark', () => then(() => colour(parts, model.dark)));
      model.on('remove', () => then(clear));
      then(draw);
    }
    """
