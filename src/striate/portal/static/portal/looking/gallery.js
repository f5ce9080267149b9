// The images, a sheet of thumbnails at a time.

import { number, text, whole } from "./drawing.js";

export async function gallery(root, prepared) {
  const { tiers, across, down, width, height } = prepared.summary.sheets, each = across * down;
  const { tiers: order } = prepared.summary.benchmark;
  const list = root.querySelector("ul.thumbnails"), where = root.querySelector("[data-where]"), readout = root.querySelector("output");
  const tier = root.querySelector("[name=tier]"), back = root.querySelector("[data-back]"), on = root.querySelector("[data-on]");
  const channel = root.querySelector("[name=channel]"); // there is none where images have one channel
  const large = root.querySelector("canvas[data-large]");
  let page = 0, asked = 0;

  const show = async () => {
    const own = ++asked, many = tiers[tier.value], pages = Math.ceil(many / each);
    page = Math.max(0, Math.min(pages - 1, page));
    back.disabled = page === 0;
    on.disabled = page === pages - 1;
    const first = page * each, last = Math.min(many, first + each);
    const one = channel?.value ?? "", of = one && `.${one}`, chosen = one && ` · ${text("channel")} ${channel.selectedOptions[0].textContent}`;
    const sheet = new Image();
    sheet.src = `${prepared.address}images-${tier.value}-${page}${one && `-${one}`}.png`;
    try {
      const [names, columns] = await Promise.all([prepared.names(), prepared.columns(), sheet.decode()]);
      if (own !== asked) return; // another page was asked for meanwhile
      const start = columns["image.tier"].indexOf(order.indexOf(tier.value));
      list.replaceChildren(
        ...Array.from({ length: last - first }, (_, place) => {
          const nth = start + first + place;
          const [x, y] = [(place % across) * width, Math.floor(place / across) * height];
          const canvas = Object.assign(document.createElement("canvas"), { width, height });
          canvas.getContext("2d").drawImage(sheet, x, y, width, height, 0, 0, width, height);
          const button = document.createElement("button");
          button.type = "button";
          button.setAttribute("aria-label", `${text("image")} ${names.images[nth]}`);
          button.append(canvas);
          const say = () => {
            readout.textContent = `${text("image")} ${names.images[nth]} · ${text("tier")} ${tier.value} · ${text("shown_times")}: ${whole(columns["image.shown"][nth])}${chosen} · ${text("mean")} ${number(columns[`image.mean${of}`][nth])} · ${text("contrast")} ${number(columns[`image.contrast${of}`][nth])}`;
            Object.assign(large, { width, height });
            large.getContext("2d").drawImage(canvas, 0, 0);
            large.setAttribute("aria-label", button.getAttribute("aria-label"));
          };
          button.addEventListener("pointerenter", say);
          button.addEventListener("focus", say);
          button.addEventListener("click", say);
          const item = document.createElement("li");
          item.append(button);
          return item;
        }),
      );
      where.textContent = text("sheet", { from: whole(first + 1), to: whole(last), of: whole(many) });
      list.dataset.drawn = `${page}${of}`;
    } catch {
      if (own === asked) where.textContent = text("failed");
    }
  };
  back.addEventListener("click", () => { page -= 1; show(); });
  on.addEventListener("click", () => { page += 1; show(); });
  tier.addEventListener("change", () => { page = 0; show(); });
  channel?.addEventListener("change", show);
  await show();
}
