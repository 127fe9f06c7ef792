-- wrk: a POST of a small JSON document.
wrk.method = "POST"
wrk.body = '{"name":"world","items":[1,2,3,4,5,6,7,8]}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = os.getenv("TOKEN") and ("Bearer " .. os.getenv("TOKEN")) or nil
