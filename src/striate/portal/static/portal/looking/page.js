// The page of a recording: each picture is drawn when the reader comes near it.

import { cloud } from "./cloud.js";
import { text } from "./drawing.js";
import { gallery } from "./gallery.js";
import { histograms } from "./histograms.js";
import { Prepared } from "./prepared.js";
import { raster } from "./raster.js";
import { traces } from "./traces.js";

const VIEWS = { raster, gallery, traces, cloud, histograms };
const NEAR = "300px";

const about = document.getElementById("summary");
if (about) {
  const prepared = new Prepared(document.querySelector("[data-files]").dataset.files, JSON.parse(about.textContent));
  const seen = new IntersectionObserver(
    async (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        try {
          await VIEWS[target.dataset.view](target, prepared);
        } catch (error) {
          const readout = target.querySelector("output");
          if (readout) readout.textContent = text("failed");
          console.error(error);
        }
      }
    },
    { rootMargin: NEAR },
  );
  for (const view of document.querySelectorAll("[data-view]")) seen.observe(view);
}
