//! What an address costs on its way to Business Central: checked, understood and built anew; and what finding its route
//! costs.

use std::hint::black_box;

use bcproxy::business_central::address::{EnvironmentAddress, LocalAddress, Resource};
use bcproxy::business_central::{Company, SafePath, Surface};
use bcproxy::proxy::RouteTable;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn environment() -> EnvironmentAddress {
    let base_url = "https://api.businesscentral.dynamics.com".parse().expect("an address");
    let tenant = "5d2c1f6e-0b7a-4c39-9e84-71a3c0de0001".parse().expect("a tenant");
    EnvironmentAddress::new(&base_url, &tenant, &"Production".parse().expect("an environment"))
}

fn company() -> Company {
    Company {
        id: "824820a2-508c-ed11-aada-0000000000a2".parse().expect("an id"),
        name: "Müller & Söhne's Großhandel".parse().expect("a name"),
        display_name: "Müller & Söhne GmbH & Co. KG".to_owned(),
    }
}

fn rewriting(criterion: &mut Criterion) {
    let (company, environment) = (company(), environment());
    let mut group = criterion.benchmark_group("rewrite");
    for (name, to, path, query) in [
        ("api", "api/v2.0", "/customers", Some("$filter=lastModifiedDateTime gt 2024-01-01T00:00:00Z&$top=20")),
        ("api with a key", "api/v2.0", "/salesOrders(824820a2-508c-ed11-aada-000000000001)/salesOrderLines", None),
        (
            "odata with umlauts",
            "odata",
            "/Company('M%C3%BCller%20%26%20S%C3%B6hne''s%20Gro%C3%9Fhandel')/Debitoren_%C3%9Cbersicht(No='D''%C3%84%2F1')",
            Some("$select=Nr,Größe&$format=json"),
        ),
        ("soap", "soap", "/M%C3%BCller%20&%20S%C3%B6hne's%20Gro%C3%9Fhandel/Page/Customer", None),
    ] {
        let surface: Surface = to.parse().expect("a surface");
        let rewrite = |path, query| {
            let asked = LocalAddress { remainder: SafePath::check(path)?, query, company_headers: &[] };
            Resource::from_local(&surface, asked, &environment)?.path_and_query(&environment.path, Some(&company))
        };
        assert!(rewrite(path, query).is_ok(), "{name}: {:?}", rewrite(path, query));
        group.bench_function(name, |bencher| bencher.iter(|| rewrite(black_box(path), black_box(query))));
    }
    let link =
        format!("{}/api/v2.0/companies({})/items(0d6b6c5e-2f5d-ee11-8df1-000d3a000001)", environment.url(), company.id);
    let surface = "api/v2.0".parse().expect("a surface");
    let back = |link: &str| environment.recognize(link, None)?.to_local(&surface, Some(&company), None);
    assert!(back(&link).is_some());
    group.bench_function("back from a link", |bencher| bencher.iter(|| back(black_box(&link))));
    group.finish();
}

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for count in [1, 10, 1_000] {
        let routes = (0..count).map(|number| (format!("/customer-{number:04}/api"), number));
        let table = RouteTable::new(routes);
        let asked = format!("/customer-{:04}/api/salesOrders(824820a2-508c-ed11-aada-000000000001)/lines", count / 2);
        let path = SafePath::check(&asked).expect("a path");
        assert!(table.find(path).is_some());
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| table.find(black_box(path)).map(|(route, rest)| (*route, rest)));
        });
    }
    group.finish();
}

criterion_group!(benches, rewriting, routing);
criterion_main!(benches);
