// URLPattern, from urlpattern-polyfill, which accepts a base URL only as text.
import { URLPattern as Polyfill } from "urlpattern-polyfill/urlpattern";

export { Polyfill as URLPattern };
