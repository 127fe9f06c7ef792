// Each function is one kind of work that functions do; the result guards against work that is optimised away.
var workloads = {
  calls() {
    const count = n => (n < 2 ? n : count(n - 1) + count(n - 2));
    return count(26);
  },
  arithmetic() {
    let sum = 0;
    for (let index = 0; index < 3_000_000; index++) sum = (sum * 31 + index) | 0;
    return sum;
  },
  sorting() {
    let seed = 7;
    const numbers = Array.from({ length: 60_000 }, () => (seed = (seed * 48271) % 2147483647));
    numbers.sort((left, right) => left - right);
    return numbers[30_000];
  },
  json() {
    const orders = Array.from({ length: 1500 }, (_, id) => ({ id, customer: `customer ${id % 71}`, total: id * 1.5, paid: id % 3 === 0, tags: ["new", `t${id}`] }));
    let length = 0;
    for (let round = 0; round < 6; round++) length += JSON.stringify(JSON.parse(JSON.stringify(orders))).length;
    return length;
  },
  text() {
    let text = "";
    for (let index = 0; index < 15_000; index++) text += `event ${index % 113} from host-${index % 7};`;
    const hosts = new Map();
    for (const match of text.matchAll(/event (\d+) from (host-\d)/g)) hosts.set(match[2], (hosts.get(match[2]) ?? 0) + Number(match[1]));
    return text.replaceAll("host", "node").split(";").length + [...hosts.values()].reduce((sum, value) => sum + value, 0);
  },
  objects() {
    class Row { constructor(id) { this.id = id; this.values = new Map([["id", id]]); } get double() { return this.values.get("id") * 2; } }
    let total = 0;
    for (let id = 0; id < 25_000; id++) {
      const { id: key, ...rest } = new Row(id);
      total += key + rest.values.size + new Row(id).double + [1, 2, 3].map(value => value + id).reduce((sum, value) => sum + value, 0);
    }
    return total;
  },
};
