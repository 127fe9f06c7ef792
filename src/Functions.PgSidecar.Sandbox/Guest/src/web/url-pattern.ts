// URLPattern, from urlpattern-polyfill, which takes a URL object for its base only as text.
import { URLPattern as Polyfill } from "urlpattern-polyfill/urlpattern";

export { Polyfill as URLPattern };
