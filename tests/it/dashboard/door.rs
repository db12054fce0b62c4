//! Who gets in, on every address that the router knows.

use mozart::{
    dashboard::{Access, RouteInfo, route_list},
    local::view::LocalView,
};
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE},
};

use super::server::{Server, sandbox_with_a_failed_run};
use crate::support::Sandbox;

/// Every route with its parameters filled in, as a page and as JSON.
fn addresses() -> Vec<(RouteInfo, Method, String)> {
    let mut all = Vec::new();
    for route in route_list::<LocalView>() {
        let mut path = String::new();
        for part in route.path.split('/').skip(1) {
            path.push('/');
            path.push_str(if part.starts_with('{') { "1" } else { part });
        }
        let method: Method = route.method.parse().unwrap();
        all.push((route, method.clone(), format!("{}.json", if path == "/" { "/index" } else { &path })));
        all.push((route, method, path));
    }
    all
}

#[tokio::test]
async fn every_route_refuses_whoever_has_no_token_or_a_wrong_one() {
    let server = Server::start(Sandbox::new());
    let addresses = addresses();
    assert!(addresses.len() > 8, "the list is the router's: {addresses:?}");
    for (route, method, path) in addresses {
        let plain = server.stranger(method.clone(), &path).send().await.unwrap();
        assert_eq!(plain.status(), 401, "{route:?} without a token");
        for credential in ["Bearer nothing", "Bearer ", "Basic bm90aGluZzo=", "nothing"] {
            let wrong = server.stranger(method.clone(), &path).header(AUTHORIZATION, credential);
            assert_eq!(wrong.send().await.unwrap().status(), 401, "{route:?} with {credential}");
        }
        let wrong = server.stranger(method.clone(), &path).header(COOKIE, "mozart-1=x; mozart=y");
        assert_eq!(wrong.send().await.unwrap().status(), 401, "{route:?} with a wrong cookie");
        let wrong = server.stranger(method, &format!("{path}?token=wrong")).send().await.unwrap();
        assert_eq!(wrong.status(), 401, "{route:?} with a wrong token in its address");
    }
}

#[tokio::test]
async fn every_route_refuses_a_foreign_host_and_a_foreign_origin() {
    let server = Server::start(Sandbox::new());
    let port = server.base().rsplit(':').next().unwrap();
    for (route, method, path) in addresses() {
        let ask = || server.stranger(method.clone(), &path).bearer_auth(&server.token);
        for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1:1".to_owned()] {
            let mut refused = ask().build().unwrap();
            refused.headers_mut().insert(HOST, host.parse().unwrap());
            let status = server.send(refused).await.status();
            assert_eq!(status, 403, "{route:?} for the host {host}");
        }
        for origin in ["http://evil.example", "null", "https://127.0.0.1"] {
            let refused = ask().header(ORIGIN, origin).send().await.unwrap();
            assert_eq!(refused.status(), 403, "{route:?} from {origin}");
        }
    }
}

#[tokio::test]
async fn the_token_of_the_printed_address_becomes_a_cookie_and_leaves_the_address() {
    let server = Server::start(Sandbox::new());
    let first = server.stranger(Method::GET, &format!("/?q=a&token={}", server.token)).send().await.unwrap();
    assert_eq!(first.status(), 303);
    assert_eq!(first.headers()[LOCATION], "/?q=a");
    let cookie = first.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    assert!(!cookie.contains(&server.token), "the cookie is a name of its own");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let page = server.stranger(Method::GET, "/").header(COOKIE, &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let elsewhere = format!("//evil.example/?token={}", server.token);
    let turned = server.stranger(Method::GET, &elsewhere).send().await.unwrap();
    assert_eq!(turned.headers()[LOCATION], "/evil.example/", "no redirect leads to another host");
}

#[tokio::test]
async fn a_browser_may_load_and_run_nothing_but_what_is_served() {
    let server = Server::start(sandbox_with_a_failed_run());
    let job = server.only_job().await;
    for path in ["/".to_owned(), job.clone(), format!("{job}/runs/1"), format!("{job}/runs/1/batches/2")] {
        let page = server.get(&path).send().await.unwrap();
        let headers = page.headers().clone();
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert_eq!(headers["cache-control"], "private, no-store");
        let text = page.text().await.unwrap();
        assert!(!text.contains("style=") && !text.contains("<script>") && !text.contains(" onclick"));
        assert!(!text.contains("http://") && !text.contains("https://"), "nothing is loaded from elsewhere");
    }
}

#[tokio::test]
async fn nothing_is_changed_by_get() {
    let changing = route_list::<LocalView>().into_iter().filter(|route| route.access == Access::Change);
    for route in changing {
        assert_eq!(route.method, "POST", "{route:?}");
    }
}
